package hardening

import (
	"errors"
	"fmt"
	"maps"
	"strconv"

	"github.com/docker/docker/api/types/container"
)

// Profile is Options read and checked: what every sandbox gets.
type Profile struct {
	options     Options
	securityOpt []string
	tmpfs       map[string]string
	ulimits     []*container.Ulimit
	logConfig   container.LogConfig
}

// New reads the seccomp file, because the engine wants its JSON and not its path, and
// checks every value. It returns all violations at once, each with its key.
func New(o Options) (Profile, error) {
	p := Profile{options: o}
	var bad []error
	key := func(name string, err error) {
		if err != nil {
			bad = append(bad, fmt.Errorf("docker.%s: %w", name, err))
		}
	}
	if o.DropCapabilities == nil {
		p.options.DropCapabilities = defaultDrop
	}
	if !o.AllowNewPrivileges {
		p.securityOpt = append(p.securityOpt, "no-new-privileges:true")
	}
	if o.AppArmorProfile != "" {
		p.securityOpt = append(p.securityOpt, "apparmor="+o.AppArmorProfile)
	}
	if o.SeccompProfile != "" {
		value, err := readSeccomp(o.SeccompProfile)
		key("seccomp_profile", err)
		p.securityOpt = append(p.securityOpt, "seccomp="+value)
	}
	var err error
	p.tmpfs, err = readTmpfs(o.Tmpfs)
	key("tmpfs", err)
	p.ulimits, err = readUlimits(o.Ulimits)
	key("ulimits", err)
	key("extra_hosts", checkHosts(o.ExtraHosts))
	key("dns_servers", checkServers(o.DNS))
	key("dns_search", checkWords(o.DNSSearch))
	key("dns_options", checkWords(o.DNSOptions))
	for name, n := range map[string]int64{
		"shm_size": o.ShmBytes, "storage_size": o.StorageBytes,
		"default_limits.memory": o.DefaultMemory, "default_limits.cpu": o.DefaultNanoCPUs,
	} {
		if n < 0 {
			key(name, errors.New("must not be negative"))
		}
	}
	return p, errors.Join(bad...)
}

// Limits fills in the operator's default for a limit that a create left out, so that
// no sandbox takes the whole machine by saying nothing.
func (p Profile) Limits(memory, nanoCPUs int64) (int64, int64) {
	if memory == 0 {
		memory = p.options.DefaultMemory
	}
	if nanoCPUs == 0 {
		nanoCPUs = p.options.DefaultNanoCPUs
	}
	return memory, nanoCPUs
}

// Apply writes the profile into a container's settings, whose mounts must be complete:
// a file system in memory gives way to what is mounted at its place.
func (p Profile) Apply(hc *container.HostConfig) {
	o := p.options
	hc.CapDrop = o.DropCapabilities
	hc.SecurityOpt = p.securityOpt
	hc.Runtime = o.OCIRuntime
	if limit := or(o.PidsLimit, defaultPids); limit > 0 {
		hc.PidsLimit = &limit
	}
	hc.LogConfig = p.logConfig
	hc.ShmSize = o.ShmBytes
	if o.StorageBytes > 0 {
		hc.StorageOpt = map[string]string{"size": strconv.FormatInt(o.StorageBytes, 10)}
	}
	hc.Ulimits = p.ulimits
	hc.ExtraHosts = o.ExtraHosts
	hc.DNS, hc.DNSSearch, hc.DNSOptions = o.DNS, o.DNSSearch, o.DNSOptions
	if len(p.tmpfs) == 0 {
		return
	}
	hc.Tmpfs = maps.Clone(p.tmpfs)
	for _, m := range hc.Mounts {
		delete(hc.Tmpfs, m.Target)
	}
}

// or returns v, or d when v is zero.
func or[T int | int64](v, d T) T {
	if v == 0 {
		return d
	}
	return v
}
