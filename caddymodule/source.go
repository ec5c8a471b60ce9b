package caddymodule

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api"
)

// source is where this process knows its sandboxes from: the lifecycle service it runs, or
// the feed of another process's when it is a gateway alone.
type source interface {
	ingress.Directory // of the data plane
	Directory() *lifecycle.Directory
	RuntimeName() string
	Resume(ctx context.Context, id string) error
	Ready() lifecycle.Readiness

	// synced tells that the sandboxes are known, and what is not known does not exist.
	synced() bool
	// news tells how old the last word of the backend, or of the lifecycle server, is, and
	// whether more is heard.
	news() (age time.Duration, heard bool)
	// api makes what answers requests that are for no sandbox.
	api(api.Options) (*api.Handler, error)
	// feed tells gateways of the sandboxes; nil in a gateway.
	feed() http.Handler
	// renewal makes what acts on accesses.
	renewal(*config.Config, *slog.Logger) (*renewal, error)
	// collect sends what is measured, the data plane aside.
	collect(chan<- prometheus.Metric)
	// close closes what was opened. Sandboxes live on.
	close(context.Context) error
}

// openSource opens what the configuration names. On error nothing stays open.
func openSource(ctx context.Context, s *state, c *config.Config, r Runtime) (source, error) {
	// Each is assigned without an error alone: a nil pointer is no nil interface.
	if c.GatewayOnly() {
		g, err := openGateway(s, c)
		if err != nil {
			return nil, err
		}
		return g, nil
	}
	l, err := openLifecycle(ctx, s, c, r)
	if err != nil {
		return nil, err
	}
	return l, nil
}
