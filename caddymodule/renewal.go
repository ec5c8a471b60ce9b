package caddymodule

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
)

// renewal is the renewer in force. A reload that changes [renew_intent] puts another in
// its place; touches go to whichever is there, and nowhere while renewal is off.
type renewal struct {
	extender renew.Extender
	log      *slog.Logger

	current atomic.Pointer[renew.Renewer]

	mu       sync.Mutex
	interval time.Duration // of current; 0 = off
	closing  sync.WaitGroup
}

// Touch implements ingress.Toucher.
func (r *renewal) Touch(e *lifecycle.Entry) {
	if renewer := r.current.Load(); renewer != nil {
		renewer.Touch(e)
	}
}

// apply starts, replaces or stops the renewer as the configuration says.
func (r *renewal) apply(c *config.Config) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var interval time.Duration
	if c.RenewIntent.Enabled {
		interval = c.RenewIntent.MinInterval
	}
	if interval == r.interval {
		return nil
	}
	var next *renew.Renewer
	if interval > 0 {
		var err error
		next, err = renew.New(renew.Options{
			Extender: r.extender, MinInterval: interval, Logger: r.log,
		})
		if err != nil {
			return err
		}
		next.Start()
	}
	r.interval = interval
	if old := r.current.Swap(next); old != nil {
		// Renewals in progress finish; the reload does not wait for them.
		r.closing.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
			defer cancel()
			_ = old.Close(ctx)
		})
	}
	return nil
}

// Close stops the renewer and waits for the ones it replaced.
func (r *renewal) Close(ctx context.Context) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if renewer := r.current.Swap(nil); renewer != nil {
		err = renewer.Close(ctx)
	}
	r.interval = 0
	r.closing.Wait()
	return err
}
