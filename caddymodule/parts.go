package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/lane"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/store"
)

// parts are the opened long-lived parts of the edge, in the order of opening.
type parts struct {
	store   lifecycle.Store
	runtime lifecycle.Runtime
	service *lifecycle.Service
	renewal *renewal

	// The data plane: handlers come and go with configurations, connections stay.
	directory directoryView
	upstreams *ingress.Upstreams
	clients   *lane.Lane
}

// openParts opens the store, connects to the backend and restores the sandboxes. On
// error nothing stays open.
func openParts(ctx context.Context, s *state, c *config.Config, r Runtime) (_ *parts, err error) {
	log := s.root.logger()
	p := new(parts)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(context.WithoutCancel(ctx)))
		}
	}()
	opened, err := store.Open(ctx, c.Store.Path)
	if err != nil {
		return nil, err
	}
	p.store = opened
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
	p.runtime = backend
	p.service, err = lifecycle.New(lifecycle.Options{
		Runtime: p.runtime, Store: p.store, Secret: instance,
		WithoutExecdToken: !c.Server.ExecdToken,
		MaxTimeout:        c.Server.MaxTimeout,
		AllowedRegistries: c.Image.AllowedRegistries,
		DeniedRegistries:  c.Image.DeniedRegistries,
		HostNetwork:       c.Runtime.Type == config.RuntimeDocker && c.Docker.NetworkMode == "host",
		HostPorts:         c.Docker.HostModePorts,
		ReadyTimeout:      c.Docker.ExecdStartTimeout,
		MaxConcurrent:     c.Server.ThreadPoolSize,
		MaxPendingCreates: noLimit(c.Server.MaxPending),
		MaxSandboxes:      c.Server.MaxSandboxes,
		Logger:            log.With("part", "lifecycle"),
		Metrics:           s.metrics.lifecycle,
	})
	if err != nil {
		return nil, err
	}
	if err = p.service.Start(ctx); err != nil {
		return nil, fmt.Errorf("restoring the sandboxes: %w", err)
	}
	if p.renewal, err = newRenewal(c, p.service, log.With("part", "renew")); err != nil {
		return nil, err
	}
	p.directory = directoryView{p.service.Directory(), p.service}
	p.upstreams = ingress.NewUpstreams(p.directory, s.metrics.traffic)
	p.clients = newLane(s)
	return p, nil
}

// noLimit translates the file's 0, "no limit", for options whose 0 is a default.
func noLimit(n int) int {
	if n == 0 {
		return math.MaxInt32
	}
	return n
}

// apply hands the settings that can change at run time to the parts.
func (p *parts) apply(s *settings) { p.renewal.apply(s.config) }

// clientGrace is what requests of kept clients get at the very end, beyond the grace
// period of the servers they came from.
const clientGrace = 5 * time.Second

// close closes what was opened, in reverse order. Sandboxes live on.
func (p *parts) close(ctx context.Context) error {
	var all []error
	if p.clients != nil {
		grace, cancel := context.WithTimeout(ctx, clientGrace)
		_ = p.clients.Shutdown(grace)
		cancel()
	}
	if p.upstreams != nil {
		p.upstreams.Close()
	}
	if p.clients != nil {
		p.clients.Close()
	}
	if p.renewal != nil {
		all = append(all, p.renewal.Close(ctx))
	}
	if p.service != nil {
		all = append(all, p.service.Close(ctx))
	}
	if p.runtime != nil {
		all = append(all, p.runtime.Close())
	}
	if p.store != nil {
		all = append(all, p.store.Close())
	}
	return errors.Join(all...)
}

// directoryView is what the data plane sees of the control plane.
type directoryView struct {
	*lifecycle.Directory
	service *lifecycle.Service
}

// Confirm implements ingress.Directory.
func (d directoryView) Confirm(ctx context.Context, e *lifecycle.Entry) error {
	return d.service.Confirm(ctx, e)
}
