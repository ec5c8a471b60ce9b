package runtimetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// recorder collects events.
type recorder struct {
	mu     sync.Mutex
	events []lifecycle.Event
}

func (r *recorder) emit(e lifecycle.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// types are the events about one sandbox, or about the stream ("").
func (r *recorder) types(id string) []lifecycle.EventType {
	r.mu.Lock()
	defer r.mu.Unlock()
	var types []lifecycle.EventType
	for _, e := range r.events {
		if e.ID == id {
			types = append(types, e.Type)
		}
	}
	return types
}

func (b *bench) watch() *recorder {
	r := &recorder{}
	ctx, cancel := context.WithCancel(b.ctx)
	var watching sync.WaitGroup
	watching.Go(func() { _ = b.Runtime.Watch(ctx, r.emit) })
	b.t.Cleanup(func() { cancel(); watching.Wait() })
	b.heard(r, "", lifecycle.EventConnected)
	return r
}

func (b *bench) heard(r *recorder, id string, want lifecycle.EventType) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return slices.Contains(r.types(id), want) },
		b.Wait, 5*time.Millisecond, "no %q event for %q; heard %v", want, id, r.types(id))
}

func testEvents(t *testing.T, b *bench) {
	r := b.watch()

	inst := b.create()
	b.heard(r, inst.ID, lifecycle.EventStarted)
	require.NoError(t, b.Runtime.Pause(b.ctx, inst.ID))
	b.heard(r, inst.ID, lifecycle.EventPaused)
	require.NoError(t, b.Runtime.Resume(b.ctx, inst.ID))
	b.heard(r, inst.ID, lifecycle.EventResumed)
	require.NoError(t, b.End(b.ctx, inst.ID, 0))
	b.heard(r, inst.ID, lifecycle.EventStopped)
	require.NoError(t, b.Runtime.Delete(b.ctx, inst.ID))
	b.heard(r, inst.ID, lifecycle.EventRemoved)

	outside := b.create()
	require.NoError(t, b.Remove(b.ctx, outside.ID))
	b.heard(r, outside.ID, lifecycle.EventRemoved)

	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.ID == inst.ID {
			require.Equal(t, inst.BackendID, e.BackendID, "event %s", e.Type)
		}
	}
}

func testWatchEnds(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan struct{})
	r := &recorder{}
	go func() {
		defer close(ended)
		_ = b.Runtime.Watch(ctx, r.emit)
	}()
	b.heard(r, "", lifecycle.EventConnected)
	cancel()
	select {
	case <-ended:
	case <-time.After(b.Wait):
		t.Fatal("Watch goes on after its context has ended")
	}
}
