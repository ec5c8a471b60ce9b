package caddymodule

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"net/netip"

	"github.com/caddyserver/caddy/v2"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api/address"
	"github.com/opensandbox-edge/edge/lifecycle/docker"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hardening"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
)

func init() { caddy.RegisterModule(DockerRuntime{}) }

// DockerRuntime runs sandboxes on a Docker Engine; all its settings are in the
// sections [docker], [runtime], [image] and [secure_runtime] of the TOML file.
type DockerRuntime struct{}

// defaultInstance is the label of a server whose configuration names no instance.
const defaultInstance = "default"

// CaddyModule returns the Caddy module information.
func (DockerRuntime) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "opensandbox.runtimes.docker", New: func() caddy.Module { return new(DockerRuntime) }}
}

// OpenRuntime connects to the engine.
func (DockerRuntime) OpenRuntime(ctx context.Context, c *config.Config, log *slog.Logger) (lifecycle.Runtime, error) {
	o := dockerOptions(c, log)
	o.HostAddress = engineHost(ctx, c.Docker.HostIP, address.InContainer(), log)
	return docker.New(ctx, o)
}

// dockerOptions translates the configuration.
func dockerOptions(c *config.Config, log *slog.Logger) docker.Options {
	o := docker.Options{
		Host:              c.Docker.Host,
		Instance:          c.Docker.Instance,
		Adopt:             docker.Adopt(c.Docker.Adopt),
		NetworkMode:       c.Docker.NetworkMode,
		APITimeout:        c.Docker.APITimeout,
		ExecdImage:        c.Runtime.ExecdImage,
		Volumes:           dockerVolumes(c),
		Hardening:         hardeningOptions(c),
		ShareRegistryAuth: c.Docker.ShareRegistryAuth,
		CheckImageAccess:  !c.Docker.Pull.ShareCached,
		PullPolicy:        docker.PullPolicy(c.Docker.Pull.Policy),
		PullTimeout:       c.Docker.Pull.Timeout,
		MaxPulls:          c.Docker.Pull.MaxAtOnce,
		PullMinFree:       amount(c.Docker.Pull.MinFree, lifecycle.ParseMemory),
		Publish:           c.Docker.Publish,
		Reach:             docker.Reach(c.Docker.Network.Reach),
		Ports:             hostport.Range{Min: uint16(c.Docker.Network.PortRangeMin), Max: uint16(c.Docker.Network.PortRangeMax)}, // 1024…65535, checked by config
		Logger:            log,
	}
	o.PublishAddress, _ = netip.ParseAddr(c.Docker.Network.PublishAddress) // checked by config
	if o.Instance == "" {
		o.Instance = defaultInstance
	}
	return o
}

// hardeningOptions translates what confines every sandbox. The file's 0 is "unlimited"
// where the runtime's is "default".
func hardeningOptions(c *config.Config) hardening.Options {
	return hardening.Options{
		DropCapabilities:   c.Docker.DropCapabilities,
		AllowNewPrivileges: !c.Docker.NoNewPrivileges,
		AppArmorProfile:    c.Docker.AppArmorProfile,
		SeccompProfile:     c.Docker.SeccompProfile,
		OCIRuntime:         c.SecureRuntime.EffectiveDocker(),
		PidsLimit:          cmp.Or(c.Docker.PidsLimit, -1),
		LogBytes:           cmp.Or(c.Docker.Hardening.LogMaxBytes, -1),
		LogFiles:           c.Docker.Hardening.LogMaxFiles,
		ShmBytes:           amount(c.Docker.Hardening.ShmSize, lifecycle.ParseMemory),
		StorageBytes:       amount(c.Docker.Hardening.StorageSize, lifecycle.ParseMemory),
		Tmpfs:              c.Docker.Hardening.Tmpfs,
		Ulimits:            c.Docker.Hardening.Ulimits,
		ExtraHosts:         c.Docker.Hardening.ExtraHosts,
		DNS:                c.Docker.Hardening.DNS,
		DNSSearch:          c.Docker.Hardening.DNSSearch,
		DNSOptions:         c.Docker.Hardening.DNSOptions,
		DefaultMemory:      amount(c.Docker.Hardening.DefaultMemory, lifecycle.ParseMemory),
		DefaultNanoCPUs:    amount(c.Docker.Hardening.DefaultCPU, lifecycle.ParseCPU),
	}
}

// amount reads an amount of the file, whose form has been checked. One beyond what can be
// counted is as much as can be.
func amount(text string, parse func(string) (int64, bool)) int64 {
	n, ok := parse(text)
	switch {
	case text == "":
		return 0
	case !ok:
		return math.MaxInt64
	}
	return n
}

// Interface guards
var (
	_ Runtime  = (*DockerRuntime)(nil)
	_ measured = (*docker.Runtime)(nil)
)
