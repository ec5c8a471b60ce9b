package runtimefake

import (
	"context"
	"errors"
	"net/netip"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

// What follows happens to the backend from outside, as by a user of the engine.

// End makes the main process of a sandbox end.
func (r *Runtime) End(_ context.Context, id string, code int) error {
	return r.outside(id, func(b *box) { r.end(id, b, code) })
}

// end is End for callers that hold mu.
func (r *Runtime) end(id string, b *box, code int) {
	b.finished = r.now()
	b.status = lifecycle.Status{State: lifecycle.Terminated, Reason: "CONTAINER_EXITED", Since: b.finished}
	if code != 0 {
		b.status.State, b.status.Reason = lifecycle.Failed, "CONTAINER_EXITED_ERROR"
	}
	r.emit(lifecycle.EventStopped, id, b)
}

// Remove takes the object away and leaves what else belongs to the sandbox.
func (r *Runtime) Remove(_ context.Context, id string) error {
	return r.outside(id, func(*box) { r.remove(id) })
}

// PauseOutside freezes a sandbox.
func (r *Runtime) PauseOutside(id string) error {
	return r.outside(id, func(b *box) {
		b.status = lifecycle.Status{State: lifecycle.Paused, Reason: "CONTAINER_PAUSED", Since: r.now()}
		r.emit(lifecycle.EventPaused, id, b)
	})
}

// Move gives a sandbox another address without a word, as after a lost event.
func (r *Runtime) Move(id string, to netip.Addr) error {
	return r.outside(id, func(b *box) { b.address = to })
}

// Reattach takes a sandbox off its network and gives it another address there. As on
// an engine, the events name the object alone.
func (r *Runtime) Reattach(id string, to netip.Addr) error {
	return r.outside(id, func(b *box) {
		r.tell(lifecycle.Event{Type: lifecycle.EventDetached, BackendID: b.backendID, At: r.now()})
		b.address = to
		r.tell(lifecycle.Event{Type: lifecycle.EventAttached, BackendID: b.backendID, At: r.now()})
	})
}

// Secure gives a sandbox an access token in clear, as the reference does.
func (r *Runtime) Secure(id, token string) error {
	return r.outside(id, func(b *box) { b.token, b.seed.SecureAccess = secret.New(token), true })
}

// Place puts a running sandbox on the backend that no service made.
func (r *Runtime) Place(spec lifecycle.Spec) error {
	if err := r.place(spec); err != nil {
		return err
	}
	_, err := r.start(spec.ID)
	return err
}

// PlaceHalf puts an object on the backend that was never started.
func (r *Runtime) PlaceHalf(spec lifecycle.Spec) error { return r.place(spec) }

func (r *Runtime) outside(id string, act func(*box)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.boxes[id]
	if !ok {
		return errors.New("no such container")
	}
	act(b)
	return nil
}

// Empty tells whether nothing is left, leftovers included.
func (r *Runtime) Empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.boxes) == 0 && len(r.leftover) == 0
}

// Has tells whether the object of a sandbox exists.
func (r *Runtime) Has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.boxes[id]
	return ok
}

// Spec is what a sandbox was made from.
func (r *Runtime) Spec(id string) (lifecycle.Spec, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.boxes[id]
	if !ok {
		return lifecycle.Spec{}, false
	}
	return b.spec, true
}

// Count is how often a verb was called.
func (r *Runtime) Count(verb Verb) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[verb]
}

// MostCreates is how many creates ran at once at most.
func (r *Runtime) MostCreates() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mostWork
}
