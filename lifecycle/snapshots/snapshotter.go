package snapshots

import (
	"context"
	"errors"
)

// ErrInUse says that sandboxes still need the artifact of a snapshot.
var ErrInUse = errors.New("the snapshot is in use")

// Snapshotter is the ability of a runtime to keep what a sandbox has on disk. Methods are
// safe for concurrent use.
type Snapshotter interface {
	// TakeSnapshot makes the artifact and returns what a restore names as its image. It
	// freezes the sandbox for as long as it needs to. No label, variable or command that
	// somebody gave to the sandbox is in the artifact's settings. When ctx ends before, the
	// backend may still finish the artifact.
	TakeSnapshot(ctx context.Context, sandboxID, snapshotID string) (image string, err error)
	// FindSnapshot returns the image of a snapshot that was made; "" when there is none.
	FindSnapshot(ctx context.Context, snapshotID string) (image string, err error)
	// RemoveSnapshot removes the artifact; none is success. ErrInUse.
	RemoveSnapshot(ctx context.Context, snapshotID string) error
	// ListSnapshots returns the snapshot ids of all artifacts that this server has made.
	ListSnapshots(ctx context.Context) ([]string, error)
}
