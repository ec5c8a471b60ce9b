package lifecycle

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/opensandbox-edge/edge/secret"
)

// tracked is what the service holds of one sandbox. Whoever changes the sandbox holds
// its lock; readers take the view, which is replaced whole and never modified.
type tracked struct {
	id   string
	lock chan struct{} // holds one element while locked
	view atomic.Pointer[view]

	// gone is set, under the lock, when the sandbox was removed: whoever waited for
	// the lock finds out here.
	gone bool
	// attempts counts failed teardowns in a row, under the lock.
	attempts int

	// stale says that something happened on the backend while the lock was held; the
	// holder has it looked up on unlocking.
	stale atomic.Bool
	// due says that a deadline came while the lock was held; the holder arms it again.
	due atomic.Bool
	// ended counts the events after which the address may be another sandbox's.
	ended atomic.Uint64
	// wake ends the pause of a create that waits for execd when the backend reports a change.
	wake chan struct{}
	// abort ends a create in progress; nil for sandboxes found on the backend.
	abort context.CancelCauseFunc
	// begun says, under the lock, that store or backend may know of the sandbox.
	begun bool
	// started says, under the lock, that a create has come to a container that was started.
	started bool
	// leftovers says, under the lock, that the backend may still have some of a failed create.
	leftovers bool
	// member says that it is a pool's and nobody's yet; once false it stays so.
	member atomic.Bool

	usage   usage // of its entries
	history history
}

// view is a sandbox at one moment.
type view struct {
	record    Record
	backendID string
	status    Status
	address   netip.Addr
	published map[uint16]netip.AddrPort
	host      bool // it shares the host's network
	// What the backend's labels say about access; they can only demand more than the record.
	secured     bool
	accessToken secret.Text
}

func newTracked(v *view) *tracked {
	u := &tracked{id: v.record.ID, lock: make(chan struct{}, 1), wake: make(chan struct{}, 1)}
	u.view.Store(v)
	return u
}

// acquire takes the lock, or gives up with the cause of ctx.
func (u *tracked) acquire(ctx context.Context) error {
	select {
	case u.lock <- struct{}{}:
		return nil
	default:
	}
	select {
	case u.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (u *tracked) tryAcquire() bool {
	select {
	case u.lock <- struct{}{}:
		return true
	default:
		return false
	}
}

// with returns a view of the same sandbox as the backend reports it now.
func (v *view) with(inst Instance) *view {
	n := *v
	n.backendID, n.status = inst.BackendID, inst.Status
	// A backend whose sandbox has not changed since it was made says so by the time of
	// the making, which the record has exactly and a list may have in whole seconds.
	if made := v.record.CreatedAt; !made.IsZero() && inst.Status.Since.Equal(inst.CreatedAt) {
		n.status.Since = made
	}
	n.address, n.published, n.host = inst.Address, inst.Published, inst.SharesHost
	n.secured, n.accessToken = inst.Seed.SecureAccess, inst.AccessToken
	return &n
}

// withRecord returns a view with another record.
func (v *view) withRecord(r Record) *view {
	n := *v
	n.record = r
	return &n
}

// sandbox shares memory with the view: callers only read it. clone is for others.
func (v *view) sandbox() Sandbox {
	sb := Sandbox{
		ID: v.record.ID, Image: v.record.Image, SnapshotID: v.record.SnapshotID, Platform: v.record.Platform,
		Status: v.shown(), Metadata: v.record.Metadata, Entrypoint: v.record.Entrypoint,
		ExpiresAt: v.record.ExpiresAt, CreatedAt: v.record.CreatedAt,
	}
	return sb
}

// shown is the status that clients see.
func (v *view) shown() Status {
	shown := v.status
	shown.Since = stamp(shown.Since)
	switch phase := v.record.Phase; {
	case phase == Creating && shown.State != Pending: // it runs, and lacks something yet
		shown = Status{State: Pending, Reason: StepStarting.Reason, Message: "The sandbox is being prepared.", Since: shown.Since}
	case phase == Deleting:
		shown.State, shown.Reason, shown.Message = Stopping, "SANDBOX_DELETING", "The sandbox is being removed."
	}
	return shown
}

func (sb Sandbox) clone() Sandbox {
	sb.Metadata, sb.Entrypoint = maps.Clone(sb.Metadata), slices.Clone(sb.Entrypoint)
	if sb.Platform != nil {
		p := *sb.Platform
		sb.Platform = &p
	}
	return sb
}
