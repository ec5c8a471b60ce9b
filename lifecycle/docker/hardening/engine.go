package hardening

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
)

// Check compares the profile with what the engine says it can do, and adapts what
// depends on it: the log options and the default of processors. An engine drops some
// settings without a word, so a wish that it cannot fulfil is an error here.
// Warnings name the limits that it does not enforce at all.
func (p *Profile) Check(info system.Info) (warnings []string, err error) {
	o := &p.options
	if _, known := info.Runtimes[o.OCIRuntime]; o.OCIRuntime != "" && !known {
		names := make([]string, 0, len(info.Runtimes))
		for name := range info.Runtimes {
			names = append(names, name)
		}
		slices.Sort(names)
		return nil, fmt.Errorf("the engine has no OCI runtime %q (secure_runtime.docker_runtime); it has: %s", o.OCIRuntime, strings.Join(names, ", "))
	}
	if o.AppArmorProfile != "" && o.AppArmorProfile != unconfined && !secures(info, "apparmor") {
		return nil, fmt.Errorf("docker.apparmor_profile: the engine's host has no AppArmor, so the profile %q would be ignored; install AppArmor there, or remove the key", o.AppArmorProfile)
	}
	if o.SeccompProfile != "" && o.SeccompProfile != unconfined && !secures(info, "seccomp") {
		return nil, fmt.Errorf("docker.seccomp_profile: the engine has no seccomp and would refuse every sandbox; remove the key, or use a kernel that has it")
	}
	if o.StorageBytes > 0 {
		if why := noQuota(info); why != "" {
			return nil, fmt.Errorf("docker.storage_size: %s; remove the key, or move the engine's data to a file system with quotas", why)
		}
	}
	if most := int64(info.NCPU) * 1e9; most > 0 {
		o.DefaultNanoCPUs = min(o.DefaultNanoCPUs, most)
	}
	p.logConfig = logConfig(info.LoggingDriver, or(o.LogBytes, defaultLogBytes), or(o.LogFiles, defaultLogFiles))
	for name, enforced := range map[string]bool{
		"memory": info.MemoryLimit, "processors": info.CPUCfsQuota, "processes": info.PidsLimit,
	} {
		if !enforced {
			warnings = append(warnings, name)
		}
	}
	slices.Sort(warnings)
	return warnings, nil
}

// secures reports whether one of the engine's security options is on. They are written
// "name=seccomp,profile=default", or "seccomp" alone by old engines.
func secures(info system.Info, name string) bool {
	return slices.ContainsFunc(info.SecurityOptions, func(option string) bool {
		first, _, _ := strings.Cut(option, ",")
		return strings.TrimPrefix(first, "name=") == name
	})
}

// noQuota says why the engine cannot bound a container's file system; "" = it may be able to.
// On xfs it also takes the mount option pquota, which the engine does not report.
func noQuota(info system.Info) string {
	switch info.Driver {
	case "btrfs", "zfs", "devicemapper", "windowsfilter":
		return ""
	case "overlay2":
		for _, status := range info.DriverStatus {
			if strings.EqualFold(status[0], "Backing Filesystem") && status[1] != "xfs" {
				return "the engine's storage driver overlay2 bounds a sandbox's file system on xfs with pquota only, and its data is on " + status[1]
			}
		}
		return ""
	}
	return "the engine's storage driver " + info.Driver + " cannot bound a sandbox's file system"
}

// logConfig bounds the log the engine keeps of a sandbox's output, which would fill the
// host's disk otherwise. The driver stays the operator's choice; one that does not write
// local files needs no bound and would refuse the options.
func logConfig(driver string, bytes int64, files int) container.LogConfig {
	if bytes < 0 {
		return container.LogConfig{}
	}
	switch driver {
	case "json-file", "local":
		return container.LogConfig{Config: map[string]string{
			"max-size": strconv.FormatInt(bytes, 10),
			"max-file": strconv.Itoa(files),
		}}
	}
	return container.LogConfig{}
}
