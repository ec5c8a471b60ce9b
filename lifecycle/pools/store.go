package pools

import (
	"context"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Store keeps pools and members across restarts. Every write is on disk when it returns.
type Store interface {
	// PutPool inserts a pool, or replaces the capacity of the one of that name.
	PutPool(ctx context.Context, p Pool) error
	// DeletePool removes a pool and all its members' rows; an absent one is success.
	DeletePool(ctx context.Context, name string) error
	Pools(ctx context.Context) ([]Pool, error)

	// PutMember records a member that nobody has claimed. It fails unless both the pool and
	// the record of the sandbox exist. The row goes with either of them.
	PutMember(ctx context.Context, id, pool string) error
	// ClaimMember writes r and, in the same transaction, that the member is claimed. It
	// fails when there is none, or one that is claimed.
	ClaimMember(ctx context.Context, r lifecycle.Record) error
	Members(ctx context.Context) ([]Member, error)
}

// Member is one row of the store.
type Member struct {
	ID, Pool string
	Claimed  bool
}
