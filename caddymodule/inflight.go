package caddymodule

import (
	"context"
	"sync/atomic"
)

// inflight counts what is under way, the requests inside our handlers or the open
// connections, across configurations, so that a stopping process can let it finish.
// Every request passes here, so counting is one atomic addition. The zero value is
// ready to use; one goroutine at a time may wait.
type inflight struct {
	count atomic.Int64
	// idle is told when the count falls to zero; nil while nobody waits.
	idle atomic.Pointer[chan struct{}]
}

func (f *inflight) enter() { f.count.Add(1) }

func (f *inflight) leave() {
	if f.count.Add(-1) != 0 {
		return
	}
	if idle := f.idle.Load(); idle != nil {
		select {
		case *idle <- struct{}{}:
		default: // it has been told and has not looked yet
		}
	}
}

// wait returns when nothing is under way, or with ctx's error.
func (f *inflight) wait(ctx context.Context) error {
	idle := make(chan struct{}, 1)
	f.idle.Store(&idle) // before the count is read, so that no fall to zero goes unseen
	defer f.idle.Store(nil)
	for f.count.Load() != 0 {
		select {
		case <-idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
