package snapshots

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// pageSize is how many rows are looked at at once.
	pageSize = 200
	// lateFor is how long an artifact may come after its row was removed.
	lateFor = time.Hour
)

// recover settles the rows that a process left in Creating or Deleting.
func (c *Catalogue) recover(ctx context.Context) error {
	rows, err := c.all(ctx, Creating)
	if err != nil {
		return fmt.Errorf("snapshots of an earlier start: %w", err)
	}
	for _, s := range rows {
		image, findErr := c.o.Snapshotter.FindSnapshot(ctx, s.ID)
		s.Image, s.Status = image, found(image, findErr)
		s.Status.Since = c.now()
		if _, err := c.o.Store.MoveSnapshot(ctx, s, Creating); err != nil {
			return fmt.Errorf("snapshots of an earlier start: %w", err)
		}
		c.o.Logger.Info("a snapshot that an earlier start began is settled", "snapshot", s.ID, "state", string(s.Status.State), "error", findErr)
	}
	c.retryDeletes(ctx)
	return ctx.Err()
}

// found is the status of a snapshot whose process died.
func found(image string, err error) Status {
	switch {
	case err != nil:
		return Status{State: Failed, Reason: ReasonRecoveryUnlooked, Message: "The server was restarted meanwhile, and could not find out whether the snapshot was taken."}
	case image == "":
		return Status{State: Failed, Reason: ReasonRecoveryMissing, Message: "The server was restarted before the snapshot was taken. Take another one."}
	}
	return Status{State: Ready, Reason: ReasonRecovered, Message: "The snapshot can be restored."}
}

// all reads every row in a state before any of them is changed.
func (c *Catalogue) all(ctx context.Context, state State) ([]Snapshot, error) {
	var rows []Snapshot
	for {
		page, _, err := c.o.Store.Snapshots(ctx, Filter{States: []string{string(state)}}, int64(len(rows)), pageSize)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page...)
		if len(page) < pageSize {
			return rows, nil
		}
	}
}

func (c *Catalogue) sweepLoop() {
	tick := time.NewTicker(c.o.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.closing:
			return
		}
		ctx, cancel := context.WithTimeout(c.life, removeTimeout)
		c.retryDeletes(ctx)
		c.removeLate(ctx)
		cancel()
	}
}

// retryDeletes goes on with deletes that failed.
func (c *Catalogue) retryDeletes(ctx context.Context) {
	rows, err := c.all(ctx, Deleting)
	for _, s := range rows {
		if failed := c.finish(ctx, s, c.kept(s)); failed != nil {
			err = failed
		}
	}
	if err != nil && ctx.Err() == nil {
		c.o.Logger.Warn("deletes of snapshots are retried", "error", err)
	}
}

// removeLate removes artifacts that a backend finished after the snapshot was given up.
// Those it knows nothing of are left alone: their rows may be in a store that was lost.
func (c *Catalogue) removeLate(ctx context.Context) {
	rows, err := c.all(ctx, Failed)
	if err != nil {
		return // the store's own metrics and logs tell
	}
	unwanted := make(map[string]bool, len(rows))
	for _, s := range rows {
		unwanted[s.ID] = true
	}
	c.mu.Lock()
	for id, at := range c.dropped {
		if unwanted[id] = true; c.o.Now().Sub(at) > lateFor {
			delete(c.dropped, id)
		}
	}
	c.mu.Unlock()
	if len(unwanted) == 0 {
		return
	}
	made, err := c.o.Snapshotter.ListSnapshots(ctx)
	if err != nil {
		c.o.Logger.Warn("looking for what is left of failed snapshots is retried", "error", err)
		return
	}
	for _, id := range slices.Compact(made) {
		if unwanted[id] {
			c.discard(ctx, id)
		}
	}
}
