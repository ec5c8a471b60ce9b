package caddymodule

import (
	"context"
	"log/slog"

	"github.com/caddyserver/caddy/v2"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker"
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
	return docker.New(ctx, dockerOptions(c, log))
}

// dockerOptions translates the configuration.
func dockerOptions(c *config.Config, log *slog.Logger) docker.Options {
	o := docker.Options{
		Host:               c.Docker.Host,
		Instance:           c.Docker.Instance,
		Adopt:              docker.Adopt(c.Docker.Adopt),
		NetworkMode:        c.Docker.NetworkMode,
		APITimeout:         c.Docker.APITimeout,
		ExecdImage:         c.Runtime.ExecdImage,
		DropCapabilities:   c.Docker.DropCapabilities,
		AllowNewPrivileges: !c.Docker.NoNewPrivileges,
		PidsLimit:          c.Docker.PidsLimit,
		AppArmorProfile:    c.Docker.AppArmorProfile,
		SeccompProfile:     c.Docker.SeccompProfile,
		ShareRegistryAuth:  c.Docker.ShareRegistryAuth,
		Publish:            c.Docker.Publish,
		OCIRuntime:         c.SecureRuntime.EffectiveDocker(),
		Logger:             log,
	}
	if o.Instance == "" {
		o.Instance = defaultInstance
	}
	if o.PidsLimit == 0 {
		o.PidsLimit = -1 // the file's 0 is "unlimited", the runtime's is "default"
	}
	return o
}

// Interface guards
var (
	_ Runtime  = (*DockerRuntime)(nil)
	_ measured = (*docker.Runtime)(nil)
)
