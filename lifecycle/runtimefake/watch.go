package runtimefake

import (
	"context"
	"sync"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// watcher is one event stream: an unbounded list, so that the backend never waits.
type watcher struct {
	mu     sync.Mutex
	events []lifecycle.Event
	told   int           // events put minus events emitted
	more   chan struct{} // capacity 1
}

func (w *watcher) put(e lifecycle.Event) {
	w.mu.Lock()
	w.events = append(w.events, e)
	w.told++
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []lifecycle.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events = nil
	return events
}

// Watch implements lifecycle.Runtime.
func (r *Runtime) Watch(ctx context.Context, emit func(lifecycle.Event)) error {
	w := &watcher{more: make(chan struct{}, 1)}
	r.mu.Lock()
	r.watchers[w] = struct{}{}
	if !r.silent {
		w.put(lifecycle.Event{Type: lifecycle.EventConnected, At: r.now()})
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.watchers, w)
	}()
	for {
		select {
		case <-w.more:
			for _, e := range w.take() {
				emit(e)
				w.mu.Lock()
				w.told--
				w.mu.Unlock()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Delivered tells whether every event so far has been taken in by every stream.
func (r *Runtime) Delivered() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.watchers {
		w.mu.Lock()
		left := w.told
		w.mu.Unlock()
		if left > 0 {
			return false
		}
	}
	return true
}

// Silence breaks the event streams: they hear that, and nothing after it.
func (r *Runtime) Silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(lifecycle.Event{Type: lifecycle.EventDisconnected, At: r.now()})
	r.silent = true
}

// Reconnect mends the event streams. What happened meanwhile is not told.
func (r *Runtime) Reconnect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = false
	r.tell(lifecycle.Event{Type: lifecycle.EventConnected, At: r.now()})
}

// Lose makes events get lost while the streams seem healthy.
func (r *Runtime) Lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = true
}

// emit tells the streams of an event. The caller holds mu.
func (r *Runtime) emit(t lifecycle.EventType, id string, b *box) {
	r.tell(lifecycle.Event{Type: t, ID: id, BackendID: b.backendID, At: r.now()})
}

func (r *Runtime) tell(e lifecycle.Event) {
	if r.silent {
		return
	}
	for w := range r.watchers {
		w.put(e)
	}
}
