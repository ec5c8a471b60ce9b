package caddymodule

import (
	"context"
	"log/slog"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Runtime is what a guest module in the namespace opensandbox.runtimes implements:
// runtime.type = "x" in the TOML file selects opensandbox.runtimes.x.
//
// OpenRuntime connects to the backend. It is called once per process, not per
// configuration, and its result outlives the module instance.
type Runtime interface {
	OpenRuntime(ctx context.Context, c *config.Config, log *slog.Logger) (lifecycle.Runtime, error)
}
