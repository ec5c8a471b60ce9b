package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
	"github.com/opensandbox-edge/edge/lifecycle/feed"
	"github.com/opensandbox-edge/edge/lifecycle/pools"
	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
	"github.com/opensandbox-edge/edge/lifecycle/store"
)

// lifecycleSource is a process that runs sandboxes.
type lifecycleSource struct {
	*lifecycle.Service
	store    lifecycle.Store
	runtime  lifecycle.Runtime
	pools    *pools.Set           // nil = the runtime has none
	taken    *snapshots.Catalogue // likewise
	gateways *feed.Server
}

// openLifecycle opens the store, connects to the backend and restores the sandboxes. On
// error nothing stays open.
func openLifecycle(ctx context.Context, s *state, c *config.Config, r Runtime) (_ *lifecycleSource, err error) {
	log := s.root.logger()
	l := new(lifecycleSource)
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close(context.WithoutCancel(ctx)))
		}
	}()
	opened, err := store.Open(ctx, c.Store.Path)
	if err != nil {
		return nil, err
	}
	l.store = opened
	instance, err := lifecycle.LoadSecret(c.Store.Path + ".secret")
	if err != nil {
		return nil, err
	}
	// Assigned only without an error: beside one, a module may return a nil pointer,
	// which is not a nil interface and would be closed.
	backend, err := r.OpenRuntime(ctx, c, log.With("part", "runtime"))
	if err != nil {
		return nil, fmt.Errorf("opening the %s runtime: %w", c.Runtime.Type, err)
	}
	l.runtime = backend
	if c.Runtime.Type == config.RuntimeDocker {
		if l.pools, err = pools.Open(ctx, pools.Options{Store: opened, Logger: log.With("part", "pools")}); err != nil {
			return nil, err
		}
	}
	if s, ok := backend.(snapshots.Snapshotter); ok {
		if l.taken, err = snapshots.Open(ctx, snapshots.Options{Store: opened, Snapshotter: s, Logger: log.With("part", "snapshots")}); err != nil {
			return nil, err
		}
	}
	options := lifecycle.Options{
		Runtime: l.runtime, Store: l.store, Secret: instance,
		WithoutExecdToken: !c.Server.ExecdToken,
		SecureAccess:      c.Ingress.Mode == config.ModeGateway,
		MaxTimeout:        c.Server.MaxTimeout,
		AllowedRegistries: c.Image.AllowedRegistries,
		DeniedRegistries:  c.Image.DeniedRegistries,
		HostPorts:         hostPorts(c),
		ReadyTimeout:      c.Docker.ExecdStartTimeout,
		MaxConcurrent:     c.Server.ThreadPoolSize,
		MaxPendingCreates: noLimit(c.Server.MaxPending),
		MaxSandboxes:      c.Server.MaxSandboxes,
		FailureTTL:        c.Docker.PendingFailureTTL,
		Keys:              opened,
		Logger:            log.With("part", "lifecycle"),
		Metrics:           s.metrics.lifecycle,
	}
	if l.pools != nil {
		options.Pools = l.pools
	}
	if l.taken != nil {
		options.Snapshots = l.taken
	}
	service, err := lifecycle.New(options)
	if err != nil {
		return nil, err
	}
	l.Service = service
	if err = l.Start(ctx); err != nil {
		return nil, fmt.Errorf("restoring the sandboxes: %w", err)
	}
	if l.pools != nil {
		l.pools.Start(l.Service)
	}
	if l.taken != nil {
		l.taken.Start(l.Service)
	}
	l.gateways = feed.NewServer(feed.ServerOptions{
		Service: l.Service, Logger: log.With("part", "feed"),
		Stopping: func() bool { return s.stopping.Load() || caddy.Exiting() },
	})
	return l, nil
}

// noLimit translates the file's 0, "no limit", for options whose 0 is a default.
func noLimit(n int) int {
	if n == 0 {
		return math.MaxInt32
	}
	return n
}

// Lookup implements ingress.Directory.
func (l *lifecycleSource) Lookup(id string) (*lifecycle.Entry, bool) { return l.Directory().Lookup(id) }

func (l *lifecycleSource) synced() bool { return true } // restored

func (l *lifecycleSource) news() (time.Duration, bool) { return l.Directory().EventAge() }

func (l *lifecycleSource) api(o api.Options) (*api.Handler, error) {
	o.Service = l.Service
	if l.pools != nil {
		o.Pools = l.pools
	}
	if l.taken != nil {
		o.Snapshots = l.taken
	}
	if d, ok := l.runtime.(diagnostics.Diagnoser); ok {
		o.Diagnostics = diagnostics.New(l.Service, d, o.Log)
	}
	return api.New(o)
}

func (l *lifecycleSource) feed() http.Handler { return l.gateways }

func (l *lifecycleSource) renewal(c *config.Config, log *slog.Logger) (*renewal, error) {
	return newRenewal(c, l.Service, log)
}

var followers = prometheus.NewDesc("opensandbox_feed_followers", "Gateways that follow this lifecycle server.", nil, nil)

func (l *lifecycleSource) collect(out chan<- prometheus.Metric) {
	if l.pools != nil {
		l.pools.Collect(out)
	}
	if l.taken != nil {
		l.taken.Collect(out)
	}
	out <- prometheus.MustNewConstMetric(followers, prometheus.GaugeValue, float64(l.gateways.Followers()))
	if runtime, ok := l.runtime.(measured); ok {
		runtime.Metrics().Collect(out)
	}
}

// close ends the feed before the service, which takes its directory apart.
func (l *lifecycleSource) close(ctx context.Context) error {
	var all []error
	if l.gateways != nil {
		l.gateways.Close()
	}
	if l.pools != nil {
		l.pools.Close()
	}
	if l.taken != nil {
		l.taken.Close()
	}
	if l.Service != nil {
		all = append(all, l.Close(ctx))
	}
	if l.runtime != nil {
		all = append(all, l.runtime.Close())
	}
	if l.store != nil {
		all = append(all, l.store.Close())
	}
	return errors.Join(all...)
}
