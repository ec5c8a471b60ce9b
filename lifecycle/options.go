package lifecycle

import (
	"errors"
	"log/slog"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle/idempotency"
	"github.com/opensandbox-edge/edge/secret"
)

// Options make a Service. Runtime, Store and Secret are required; every other zero
// value stands for the default given in its comment.
type Options struct {
	Runtime Runtime // stays the caller's to close, after Service.Close
	Store   Store   // likewise

	// Secret is the instance secret (LoadSecret), from which execd tokens are derived.
	Secret secret.Text
	// WithoutExecdToken creates sandboxes whose execd asks for no token.
	WithoutExecdToken bool

	// SecureAccess accepts requests for sandboxes that demand access verification; without
	// a gateway no client is told how to reach them.
	SecureAccess bool

	// MaxTimeout bounds the timeout of a create request and, measured from the creation,
	// what renewal by access may reach; 0 = unlimited. The API's renew is not bound.
	MaxTimeout time.Duration

	// AllowedRegistries are the registries an image may come from, as "host", "host:port"
	// or "*.domain"; nil = all. DeniedRegistries win over them. Link-local and metadata
	// addresses are refused in any case.
	AllowedRegistries []string
	DeniedRegistries  []string

	// HostPorts are the ports of the host that count as a sandbox's when it shares the
	// host's network, beside its execd's. Nothing else of the host is dialled.
	HostPorts []uint16

	// ReadyTimeout is how long execd may take to answer after the container started; 20 s.
	ReadyTimeout time.Duration
	// MaxConcurrent bounds creates at work on the backend, and separately teardowns; 32.
	MaxConcurrent int
	// MaxPendingCreates bounds the creates in progress of one CreateRequest.Client, waiting
	// ones included; more are answered with 429. 256.
	MaxPendingCreates int
	// FailureTTL is how long a sandbox that was promised and could not be made is shown as
	// Failed; 0 = not at all.
	FailureTTL time.Duration
	// Keys keeps idempotency keys over restarts; default: it does not.
	Keys idempotency.Store
	// MaxSandboxes bounds sandboxes in any state; more are answered with 429. 0 = unlimited.
	MaxSandboxes int
	// ReconcileInterval is how often the backend's list repairs what events missed; 30 s.
	ReconcileInterval time.Duration

	Pools Pools // nil = creates cannot name a pool
	// Snapshots is nil where there are none.
	Snapshots Snapshots

	Prober  Prober       // default: GET http://address/ping
	Clock   Clock        // default: the system's
	Logger  *slog.Logger // default: none
	Metrics *Metrics     // default: one that is not registered anywhere
}

// teardownTimeout bounds one attempt to remove, pause or resume a sandbox.
const teardownTimeout = time.Minute

// staleAfter is how long the event stream may be down before a connection to a known
// address has to be confirmed, and a lost event may have given it to another sandbox.
const staleAfter = 2 * time.Second

func (o *Options) setDefaults() error {
	if o.Runtime == nil || o.Store == nil || o.Secret.IsZero() {
		return errors.New("lifecycle: Options need Runtime, Store and Secret")
	}
	positive(&o.ReadyTimeout, 20*time.Second)
	positive(&o.ReconcileInterval, 30*time.Second)
	positive(&o.MaxConcurrent, 32)
	positive(&o.MaxPendingCreates, 256)
	if o.Keys == nil {
		o.Keys = idempotency.Memory{}
	}
	if o.Prober == nil {
		o.Prober = NewProber()
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return nil
}

func positive[T int | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}
