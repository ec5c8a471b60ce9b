package lifecycle

import (
	"maps"
	"slices"
	"time"
)

// State is a sandbox's state as clients see it (contract 01 §5.4).
type State string

// The states a sandbox can be in. Clients treat unknown strings gracefully.
const (
	Pending    State = "Pending"
	Running    State = "Running"
	Pausing    State = "Pausing"
	Paused     State = "Paused"
	Resuming   State = "Resuming"
	Stopping   State = "Stopping"
	Terminated State = "Terminated"
	Failed     State = "Failed"
	Unknown    State = "Unknown"
)

// ended tells whether the main process is over.
func (s State) ended() bool { return s == Terminated || s == Failed }

// Status is a state with its reason (contract 01 §7.2).
type Status struct {
	State   State
	Reason  string // e.g. "CONTAINER_RUNNING"
	Message string
	Since   time.Time // last transition, UTC
}

// Platform is an explicitly requested operating system and architecture.
type Platform struct {
	OS   string // "linux"
	Arch string // "amd64" | "arm64"
}

// Sandbox is what clients are told about one sandbox.
type Sandbox struct {
	ID         string
	Image      string // the requested reference; empty when restored from a snapshot
	SnapshotID string
	Platform   *Platform
	Status     Status
	Metadata   map[string]string
	Entrypoint []string
	ExpiresAt  time.Time // zero = manual cleanup
	CreatedAt  time.Time
}

// Record is what the store keeps of a sandbox: the mutable facts and the ones a
// backend cannot give back. It holds no clear credential.
type Record struct {
	ID         string
	Phase      Phase
	Image      string
	SnapshotID string
	Platform   *Platform
	Entrypoint []string
	Metadata   map[string]string
	CreatedAt  time.Time // UTC, microseconds
	ExpiresAt  time.Time // UTC, microseconds; zero = manual cleanup; while Creating the earliest it can be
	// RenewExtend is how far an access moves the expiry; 0 = not opted in (contract 04 §9.1).
	RenewExtend time.Duration
	// RenewMax bounds the life, measured from the creation, that accesses can give; 0 = it
	// is not bounded by the sandbox itself.
	RenewMax time.Duration
	// IdleTimeout is how long the sandbox lives without an access; 0 = it does not matter.
	IdleTimeout time.Duration
	// IdleUntil is when it is removed unless it is accessed before; zero without IdleTimeout.
	IdleUntil time.Time // UTC, microseconds
	// ExecdToken tells whether this sandbox's execd demands our derived token
	// (false for sandboxes adopted from the reference).
	ExecdToken bool
	// Promised says that a client was given the id before the sandbox was made: it does not
	// vanish without a word, and a restart goes on with one whose container runs.
	Promised bool
	// Failure is set in phase Unmade.
	Failure Failure
	// SecureAccess tells that every route into the sandbox demands its access token or a
	// signature (contract 04 §6).
	SecureAccess bool
	// Pool is the pool that it was made for. Only a backend's seed has it: a sandbox made for
	// a pool whose record is lost may be anybody's, and is nobody's again.
	Pool string
}

// Clone returns a copy that shares no mutable memory with r.
func (r Record) Clone() Record {
	r.Metadata = maps.Clone(r.Metadata)
	r.Entrypoint = slices.Clone(r.Entrypoint)
	if r.Platform != nil {
		p := *r.Platform
		r.Platform = &p
	}
	return r
}

// Phase is how far the control plane got with a sandbox; it decides what a restart
// does with a record whose process died in between.
type Phase string

const (
	// Creating: the backend may hold something half-made. A restart tears it down.
	Creating Phase = "creating"
	// Unmade: it was promised and could not be made. It is shown as Failed for a while.
	Unmade Phase = "unmade"
	// Live: the create answer was (or could have been) given. A restart adopts it.
	Live Phase = "live"
	// Deleting: teardown was asked for and not finished. A restart finishes it.
	Deleting Phase = "deleting"
)
