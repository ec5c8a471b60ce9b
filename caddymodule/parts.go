package caddymodule

import (
	"context"
	"errors"
	"time"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/attempts"
	"github.com/opensandbox-edge/edge/ingress/lane"
	"github.com/opensandbox-edge/edge/ingress/upstream"
)

// parts are the opened long-lived parts of the edge, in the order of opening.
type parts struct {
	source  source
	renewal *renewal

	// The data plane: handlers come and go with configurations, connections stay.
	upstreams *upstream.Pools
	attempts  *attempts.Limiter
	waiting   *ingress.Waiting
	clients   *lane.Lane
}

// openParts opens where the sandboxes are known from, and the data plane. On error
// nothing stays open.
func openParts(ctx context.Context, s *state, c *config.Config, r Runtime) (_ *parts, err error) {
	p := new(parts)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(context.WithoutCancel(ctx)))
		}
	}()
	if p.source, err = openSource(ctx, s, c, r); err != nil {
		return nil, err
	}
	if p.renewal, err = p.source.renewal(c, s.root.logger().With("part", "renew")); err != nil {
		return nil, err
	}
	p.attempts = attempts.New()
	p.upstreams = upstream.New(upstream.Options{Confirm: p.source.Confirm, Connected: s.metrics.traffic.Connected})
	p.waiting = ingress.NewWaiting(p.source.Directory(), p.source.Resume, s.metrics.traffic)
	p.clients = newLane(s)
	return p, nil
}

// apply hands the settings that can change at run time to the parts.
func (p *parts) apply(s *settings) { p.renewal.apply(s.config) }

// clientGrace is what requests of kept clients get at the very end, beyond the grace
// period of the servers they came from.
const clientGrace = 5 * time.Second

// close closes what was opened, in reverse order. Sandboxes live on.
func (p *parts) close(ctx context.Context) error {
	var all []error
	if p.waiting != nil {
		p.waiting.Close()
	}
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
	if p.source != nil {
		all = append(all, p.source.close(ctx))
	}
	return errors.Join(all...)
}
