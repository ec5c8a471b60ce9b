package snapshots

import (
	"context"
	"errors"
)

// ErrNoRow is returned by a Store for an id it has no row of.
var ErrNoRow = errors.New("there is no such snapshot")

// Store keeps the rows. What it cannot read of a row is missing from it; the row is still
// returned, its state as it is written. Every change is durable when it returns. It is safe for concurrent use.
type Store interface {
	// AddSnapshot writes a new row.
	AddSnapshot(ctx context.Context, s Snapshot) error
	// MoveSnapshot writes status and image to the row of s if its state still is from, and
	// says whether it did.
	MoveSnapshot(ctx context.Context, s Snapshot, from State) (bool, error)
	// DropSnapshot removes a row; none is success.
	DropSnapshot(ctx context.Context, id string) error
	// Snapshot reads one row; ErrNoRow.
	Snapshot(ctx context.Context, id string) (Snapshot, error)
	// Snapshots reads up to limit rows that f selects, from the offset on, newest first, and
	// counts all of them. A limit of 0 reads none.
	Snapshots(ctx context.Context, f Filter, offset, limit int64) ([]Snapshot, int, error)
}
