package lifecycle

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/opensandbox-edge/edge/secret"
)

// ErrNotFound is returned by a Runtime for an id it has nothing of.
var ErrNotFound = errors.New("no such sandbox on the backend")

// Runtime creates and controls sandboxes on one backend. Methods are safe for
// concurrent use. Errors a client may see are *apierror.Error; ErrNotFound and
// context errors pass as they are.
type Runtime interface {
	// Name is "docker" or "kubernetes"; upper-cased it is the prefix of error codes.
	Name() string

	// Create makes and starts the sandbox and returns once the backend has started it,
	// with its addresses. Readiness of execd is the service's business. On error the
	// service calls Delete, so Create may leave partial objects behind.
	Create(ctx context.Context, spec Spec) (Instance, error)

	// Delete removes everything that belongs to id, in any state, also when only
	// leftovers exist. Nothing there is success.
	Delete(ctx context.Context, id string) error

	// Pause freezes a running sandbox and Resume thaws a paused one; in any other state
	// they fail. Both are done when they return.
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error

	// Inspect reads one sandbox live from the backend; ErrNotFound when it is gone.
	Inspect(ctx context.Context, id string) (Instance, error)

	// List is the truth, for restore and reconcile: every sandbox this server owns
	// or may adopt, in one or two backend calls however many there are.
	List(ctx context.Context) ([]Instance, error)

	// Watch calls emit for every change it hears of, reconnecting until ctx ends.
	// Events are hints; a lost one is repaired by List.
	Watch(ctx context.Context, emit func(Event)) error

	// Close releases connections. Sandboxes are never touched by it.
	Close() error
}

// Instance is one sandbox as the backend reports it. Everything that came from
// labels was parsed as untrusted input.
type Instance struct {
	ID         string
	BackendID  string // container id: changes when the sandbox is re-created
	Status     Status
	StartedAt  time.Time // zero when never started
	FinishedAt time.Time
	CreatedAt  time.Time

	// Address is where the sandbox's ports are dialled; invalid while unknown.
	Address netip.Addr
	// SharesHost says that Address is the host's, and its ports are anybody's: execd's is in
	// Published then, and execd has to prove that it is this sandbox's.
	SharesHost bool
	// Published maps a sandbox port to a host address, for adopted sandboxes and
	// for backends whose container addresses cannot be reached.
	Published map[uint16]netip.AddrPort

	// AccessToken is the access token that a sandbox of the reference carries in clear. Ours
	// are derived and on no backend.
	AccessToken secret.Text

	// Seed is the creation-time record read back from labels. It is used when the store
	// has no record of the sandbox; after a create its Entrypoint says what was run.
	Seed Record
}

// EventType says what a runtime heard.
type EventType string

// The events a runtime emits.
const (
	EventStarted      EventType = "started"
	EventPaused       EventType = "paused"
	EventResumed      EventType = "resumed"
	EventStopped      EventType = "stopped"      // main process ended; the object still exists
	EventRemoved      EventType = "removed"      // the object is gone
	EventConnected    EventType = "connected"    // the stream is up (again): list to catch up
	EventDisconnected EventType = "disconnected" // the stream broke: addresses may be stale

	// These two name the sandbox by BackendID and may leave ID empty.
	EventAttached EventType = "attached" // it got a network, and with it perhaps another address
	EventDetached EventType = "detached" // it lost a network: the address may be given to another
)

// Event is a hint that something changed. ID is empty for stream events, and may be for
// those of networks.
type Event struct {
	Type      EventType
	ID        string
	BackendID string
	At        time.Time
}
