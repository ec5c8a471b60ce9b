package lifecycle

import (
	"context"

	"github.com/opensandbox-edge/edge/secret"
)

// Pools lends sandboxes that were started beforehand, the members of a pool, to creates
// that name a pool (contract 01 §13). It decides which member is whose and keeps that on
// disk; making, handing out and removing them is the Service's. Methods are safe for
// concurrent use; those without a context touch memory alone. Errors are *apierror.Error.
type Pools interface {
	// Take gives a claim one place of a pool that nobody else gets from then on. The claim
	// gives it back by Gone.
	Take(pool string) (Place, error)
	// Template is what the members of a pool are made from.
	Template(pool string) (CreateRequest, error)

	// Join records that a member has been made; it fails when its pool is gone.
	Join(ctx context.Context, id string) error
	// Claim records r, whose sandbox was a member until now, and in the same step that it
	// is one no longer. It fails when it was none.
	Claim(ctx context.Context, r Record) error
	// Equip gives a sandbox that runs the variables and the command of a claim.
	Equip(ctx context.Context, e Equipment) error

	// Member tells, for restore, whether an id is a member that nobody has claimed.
	Member(id string) bool
	// Unfit hears that a member does not run any more. It must not wait for the Service.
	Unfit(id string)
	// Gone hears that nothing of an id is left, or that it was never made. Most ids never
	// were a member's.
	Gone(id string)
}

// Place is one place of a pool.
type Place struct {
	Pool string
	ID   string
	// Cold says that the pool had no member left: the claim makes the sandbox itself,
	// under ID.
	Cold bool
}

// Equipment is what a claim brings that a started sandbox does not have yet.
type Equipment struct {
	Execd Daemon
	Token secret.Text // of execd; zero = it asks for none
	Env   []EnvVar
	// Entrypoint is started beside what runs already; nil = nothing.
	Entrypoint []string
}
