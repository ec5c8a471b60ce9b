package snapshots

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
)

// removeTimeout bounds one delete, and one sweep.
const removeTimeout = 5 * time.Minute

// Remove removes a snapshot and what it stands for (contract 01 §12.2). A snapshot that
// sandboxes still need is what it was before; after another failure it stays Deleting, and
// the sweep goes on with it.
func (c *Catalogue) Remove(ctx context.Context, id string) error {
	s, err := c.row(ctx, id)
	if err != nil {
		return err
	}
	before := s.Status
	switch before.State {
	case Deleting:
		before = c.kept(s)
	case Creating:
		return wrongState(s)
	default: // Ready, Failed, or a state that nobody knows
		s.Status = Status{State: Deleting, Reason: ReasonDelete, Message: "The snapshot is being removed.", Since: c.now()}
		moved, err := c.o.Store.MoveSnapshot(ctx, s, before.State)
		if err != nil {
			return err
		}
		if !moved {
			now, err := c.o.Store.Snapshot(ctx, id)
			switch {
			case errors.Is(err, ErrNoRow):
				return nil
			case err != nil:
				return err
			case now.Status.State != Deleting:
				return wrongState(now)
			}
		}
	}
	// Begun work is finished when the client leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	return c.finish(ctx, s, before)
}

// finish removes the artifact and the row of a snapshot that is Deleting; before is what
// it is again when sandboxes need it.
func (c *Catalogue) finish(ctx context.Context, s Snapshot, before Status) error {
	err := c.o.Snapshotter.RemoveSnapshot(ctx, s.ID)
	if errors.Is(err, ErrInUse) {
		s.Status = before
		if _, moveErr := c.o.Store.MoveSnapshot(ctx, s, Deleting); moveErr != nil {
			return moveErr
		}
		return apierror.New(http.StatusConflict, codeConflict, "Sandboxes were made from this snapshot and need it; delete them first.").Because(err)
	}
	if err != nil {
		return err
	}
	if s.Image == "" { // it failed: its artifact may yet come
		c.mu.Lock()
		c.dropped[s.ID] = c.o.Now()
		c.mu.Unlock()
	}
	return c.o.Store.DropSnapshot(ctx, s.ID)
}

// kept is the status of a snapshot that is Deleting, were it not: what it was before is
// not written down, and follows from whether it has an image.
func (c *Catalogue) kept(s Snapshot) Status {
	kept := outcome(s.Image, nil)
	kept.Since = c.now()
	return kept
}

func wrongState(s Snapshot) error {
	return apierror.New(http.StatusConflict, codeState, "The snapshot is %s; it can be deleted when it is Ready or Failed.", s.Status.State)
}
