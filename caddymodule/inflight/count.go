package inflight

import (
	"context"
	"sync/atomic"
)

// Count counts what is under way, the requests inside handlers or the open
// connections, across configurations, so that a stopping process can let it finish.
// Every request passes here, so counting is one atomic addition. The zero value is
// ready to use; one goroutine at a time may wait.
type Count struct {
	count atomic.Int64
	// idle is told when the count falls to zero; nil while nobody waits.
	idle atomic.Pointer[chan struct{}]
}

// Enter counts one more.
func (f *Count) Enter() { f.count.Add(1) }

// Leave counts one less.
func (f *Count) Leave() {
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

// Wait returns when nothing is under way, or with ctx's error.
func (f *Count) Wait(ctx context.Context) error {
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
