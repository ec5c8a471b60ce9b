package caddymodule

import (
	"context"
	"sync"
)

// inflight counts the requests inside our handlers, across configurations, so that a
// stopping process can let them finish.
type inflight struct {
	mu    sync.Mutex
	count int
	idle  chan struct{} // closed when count falls to 0; nil while nobody waits
}

func (f *inflight) enter() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
}

func (f *inflight) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count--; f.count == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// wait returns when no request is inside, or with ctx's error.
func (f *inflight) wait(ctx context.Context) error {
	f.mu.Lock()
	if f.count == 0 {
		f.mu.Unlock()
		return nil
	}
	if f.idle == nil {
		f.idle = make(chan struct{})
	}
	idle := f.idle
	f.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
