package caddymodule

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/feed"
)

// gatewaySource is a process that carries traffic alone: it opens no engine socket and no
// store (threat row K11), and knows the sandboxes from a lifecycle server's feed.
type gatewaySource struct{ *feed.Client }

// openGateway begins to follow the lifecycle server, which need not be there yet.
func openGateway(s *state, c *config.Config) (*gatewaySource, error) {
	client, err := feed.NewClient(feed.ClientOptions{
		URL: c.Control.URL, Key: c.Control.APIKey, CAFile: c.Control.CAFile,
		Logger:   s.root.logger().With("part", "feed"),
		OnSynced: s.refresh,
	})
	if err != nil {
		return nil, err
	}
	client.Start()
	return &gatewaySource{client}, nil
}

// Lookup implements ingress.Directory.
func (g *gatewaySource) Lookup(id string) (*lifecycle.Entry, bool) { return g.Directory().Lookup(id) }

func (g *gatewaySource) synced() bool { return g.Synced() }

func (g *gatewaySource) news() (time.Duration, bool) { return g.Age() }

func (g *gatewaySource) api(o api.Options) (*api.Handler, error) {
	return api.NewGateway(o, g.Ready), nil
}

func (g *gatewaySource) feed() http.Handler { return nil }

func (g *gatewaySource) renewal(c *config.Config, log *slog.Logger) (*renewal, error) {
	return newGatewayRenewal(c, log)
}

func (g *gatewaySource) collect(out chan<- prometheus.Metric) { g.Collect(out) }

func (g *gatewaySource) close(context.Context) error {
	g.Close()
	return nil
}

// errNotSynced is answered until it is known which sandboxes there are: 404 would be a guess.
var errNotSynced = apierror.New(http.StatusServiceUnavailable, "GENERAL::NOT_READY",
	"This gateway does not know the sandboxes of its lifecycle server yet; try again shortly.").Retry(1)

// notSynced stands in for the data plane.
func notSynced(w http.ResponseWriter, r *http.Request) { apierror.Answer(w, r, errNotSynced) }
