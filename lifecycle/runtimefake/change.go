package runtimefake

import (
	"context"
	"fmt"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Delete implements lifecycle.Runtime.
func (r *Runtime) Delete(ctx context.Context, id string) error {
	if err := r.before(ctx, Delete, id); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leftover, id)
	r.remove(id)
	return nil
}

// remove takes the object away. The caller holds mu.
func (r *Runtime) remove(id string) {
	b, ok := r.boxes[id]
	if !ok {
		return
	}
	if b.status.State == lifecycle.Running || b.status.State == lifecycle.Paused {
		r.end(id, b, 137)
	}
	delete(r.boxes, id)
	r.emit(lifecycle.EventRemoved, id, b)
}

// Pause implements lifecycle.Runtime.
func (r *Runtime) Pause(ctx context.Context, id string) error {
	return r.change(ctx, Pause, id, lifecycle.Running, lifecycle.Paused, "CONTAINER_PAUSED", lifecycle.EventPaused)
}

// Resume implements lifecycle.Runtime.
func (r *Runtime) Resume(ctx context.Context, id string) error {
	return r.change(ctx, Resume, id, lifecycle.Paused, lifecycle.Running, "CONTAINER_RUNNING", lifecycle.EventResumed)
}

func (r *Runtime) change(ctx context.Context, verb Verb, id string, from, to lifecycle.State, reason string, event lifecycle.EventType) error {
	if err := r.before(ctx, verb, id); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.boxes[id]
	switch {
	case !ok:
		return lifecycle.ErrNotFound
	case b.status.State != from:
		return fmt.Errorf("%s: the sandbox is %s", verb, b.status.State)
	}
	b.status = lifecycle.Status{State: to, Reason: reason, Since: r.now()}
	r.emit(event, id, b)
	return nil
}
