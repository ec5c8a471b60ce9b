package snapshots

import (
	"context"
	"errors"
	"time"
)

// settleTimeout bounds what is written and removed after a snapshot was taken, which
// happens also when the catalogue is being closed.
const settleTimeout = 10 * time.Second

// work takes snapshots in the order they were asked for.
func (c *Catalogue) work() {
	for {
		select {
		case <-c.closing:
			return
		default:
		}
		select {
		case s := <-c.waiting:
			c.take(s)
		case <-c.closing:
			return
		}
	}
}

func (c *Catalogue) take(s Snapshot) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(c.life, c.o.Timeout)
	defer cancel()
	err := c.source.Hold(ctx, s.SandboxID, func(ctx context.Context) error {
		image, err := c.o.Snapshotter.TakeSnapshot(ctx, s.SandboxID, s.ID)
		s.Image = image
		return err
	})
	if err != nil && c.life.Err() != nil {
		return // the next Open sees what has become of it
	}
	s.Status = outcome(s.Image, err)
	s.Status.Since = c.now()
	if s.Status.State == Failed {
		s.Image = ""
	}
	c.metrics.taken(time.Since(begun), s.Status.State)
	if err != nil {
		c.o.Logger.Error("a snapshot could not be taken", "snapshot", s.ID, "sandbox", s.SandboxID, "error", err)
	}
	settle, done := context.WithTimeout(context.WithoutCancel(c.life), settleTimeout)
	defer done()
	moved, err := c.o.Store.MoveSnapshot(settle, s, Creating)
	switch {
	case err != nil:
		c.o.Logger.Error("the outcome of a snapshot could not be saved; the next start finds it", "snapshot", s.ID, "error", err)
	case !moved:
		// The row went away, as only another server on the same file can do it.
		c.discard(settle, s.ID)
	case s.Status.State == Failed:
		c.discard(settle, s.ID)
	}
}

// outcome is the status of a snapshot after the attempt to take it.
func outcome(image string, err error) Status {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Status{State: Failed, Reason: ReasonTimeout, Message: "The snapshot took too long. Try again, or remove what fills the sandbox's disk."}
	case err != nil:
		return Status{State: Failed, Reason: ReasonFailed, Message: "The snapshot could not be taken; the server's log has the cause."}
	case image == "":
		return Status{State: Failed, Reason: ReasonMissingImage, Message: "The snapshot was taken, and is not there."}
	}
	return Status{State: Ready, Reason: ReasonReady, Message: "The snapshot can be restored."}
}

// discard removes an artifact without a row that can be restored. What comes later, or
// cannot be removed now, is the sweep's.
func (c *Catalogue) discard(ctx context.Context, id string) {
	if err := c.o.Snapshotter.RemoveSnapshot(ctx, id); err != nil {
		c.o.Logger.Warn("what is left of a snapshot could not be removed; it is retried", "snapshot", id, "error", err)
	}
}
