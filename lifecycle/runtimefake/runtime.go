package runtimefake

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

// Verb is an operation of the runtime.
type Verb string

// The verbs that a Hook sees. Start is the second half of a create: the object
// exists and does not run yet.
const (
	Create  Verb = "create"
	Start   Verb = "start"
	Delete  Verb = "delete"
	Pause   Verb = "pause"
	Resume  Verb = "resume"
	Inspect Verb = "inspect"
	List    Verb = "list"
)

// Hook runs before a verb takes effect, outside of all locks. It may wait, and it may
// make the verb fail; id is "" for List.
type Hook func(ctx context.Context, verb Verb, id string) error

// Runtime is the fake. Its fields are set before it is used.
type Runtime struct {
	Now     func() time.Time // time.Now when nil
	Address netip.Addr       // of every sandbox; each has its own when invalid
	// Published is what every sandbox that runs publishes.
	Published map[uint16]netip.AddrPort
	// SharesHost puts every sandbox on the host's network, at Address.
	SharesHost bool
	// SplitEntrypoint has a lone element split at spaces, as Docker runs it.
	SplitEntrypoint bool

	pulled   chan struct{}
	mu       sync.Mutex
	hook     Hook
	listed   func()
	boxes    map[string]*box
	leftover map[string]bool // ids of which something is left though the object is gone
	watchers map[*watcher]struct{}
	silent   bool // events are lost
	made     int
	counts   map[Verb]int
	atWork   int
	mostWork int
}

// box is a fake container.
type box struct {
	spec       lifecycle.Spec
	backendID  string
	status     lifecycle.Status
	address    netip.Addr
	published  map[uint16]netip.AddrPort
	host       bool
	created    time.Time
	started    time.Time
	finished   time.Time
	seed       lifecycle.Record
	token      secret.Text // in clear, as on sandboxes of the reference
	endAtStart *int
}

// New makes an empty backend.
func New() *Runtime {
	return &Runtime{
		boxes: map[string]*box{}, leftover: map[string]bool{},
		watchers: map[*watcher]struct{}{}, counts: map[Verb]int{},
		pulled: make(chan struct{}),
	}
}

// SetHook has every verb begun from now on run h first; nil for none.
func (r *Runtime) SetHook(h Hook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = h
}

// RefusedImage is an image that the fake cannot find.
const RefusedImage = "example.test/missing:1"

// AbsentImage is an image whose pull ends when Pulled is called.
const AbsentImage = "example.test/slow:1"

// Pulled lets one pull of AbsentImage end.
func (r *Runtime) Pulled() { r.pulled <- struct{}{} }

// Name implements lifecycle.Runtime. The fake passes for Docker, whose codes the
// contract tables use.
func (r *Runtime) Name() string { return "docker" }

// Create implements lifecycle.Runtime.
func (r *Runtime) Create(ctx context.Context, spec lifecycle.Spec) (lifecycle.Instance, error) {
	r.enter()
	defer r.exit()
	if err := r.before(ctx, Create, spec.ID); err != nil {
		return lifecycle.Instance{}, err
	}
	if spec.Image == AbsentImage {
		spec.Notice.Tell(lifecycle.StepPulling)
		select {
		case <-r.pulled:
		case <-ctx.Done():
			return lifecycle.Instance{}, ctx.Err()
		}
		spec.Notice.Tell(lifecycle.StepCreating)
	}
	if spec.Image == RefusedImage {
		return lifecycle.Instance{}, apierror.New(http.StatusInternalServerError, "DOCKER::SANDBOX_IMAGE_PULL_FAILED", "The image cannot be found.")
	}
	if err := r.place(spec); err != nil {
		return lifecycle.Instance{}, err
	}
	if err := r.before(ctx, Start, spec.ID); err != nil {
		return lifecycle.Instance{}, err
	}
	return r.start(spec.ID)
}

// place makes the object, not running yet.
func (r *Runtime) place(spec lifecycle.Spec) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, exists := r.boxes[spec.ID]; exists {
		return fmt.Errorf("the name sandbox-%s is taken", spec.ID)
	}
	r.made++
	now := r.now()
	b := &box{
		spec: spec, backendID: fmt.Sprintf("backend-%d", r.made), created: now, published: r.Published,
		address: netip.AddrFrom4([4]byte{10, 88, byte(r.made >> 8), byte(r.made)}),
		status:  lifecycle.Status{State: lifecycle.Pending, Reason: "CONTAINER_STARTING", Since: now},
		seed:    seedOf(spec, now),
	}
	if r.SplitEntrypoint && len(spec.Entrypoint) == 1 {
		b.seed.Entrypoint = strings.Fields(spec.Entrypoint[0])
	}
	b.host = r.SharesHost
	if r.Address.IsValid() {
		b.address = r.Address
	}
	if code, ends := strings.CutPrefix(spec.Entrypoint[0], "exit:"); ends {
		n, err := strconv.Atoi(code)
		if err != nil {
			return err
		}
		b.endAtStart = &n
	}
	r.boxes[spec.ID] = b
	r.leftover[spec.ID] = true
	return nil
}

func seedOf(spec lifecycle.Spec, now time.Time) lifecycle.Record {
	seed := lifecycle.Record{
		ID: spec.ID, Phase: lifecycle.Live, Image: spec.Image, Platform: spec.Platform,
		Entrypoint: spec.Entrypoint, Metadata: spec.Metadata, CreatedAt: now,
		ExecdToken: spec.ExecdTokenSHA256 != "", SecureAccess: spec.SecureAccess,
	}
	if spec.Timeout > 0 {
		seed.ExpiresAt = now.Add(spec.Timeout)
	}
	seed.RenewMax, seed.IdleTimeout, seed.Pool = spec.RenewMax, spec.IdleTimeout, spec.Pool
	if n, err := strconv.Atoi(spec.RenewValue); err == nil {
		seed.RenewExtend = time.Duration(n) * time.Second
	}
	return seed.Clone()
}

func (r *Runtime) start(id string) (lifecycle.Instance, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.boxes[id]
	if !ok {
		return lifecycle.Instance{}, fmt.Errorf("start %s: %w", id, lifecycle.ErrNotFound)
	}
	b.started = r.now()
	b.status = lifecycle.Status{State: lifecycle.Running, Reason: "CONTAINER_RUNNING", Since: b.started}
	r.emit(lifecycle.EventStarted, id, b)
	if b.endAtStart != nil {
		r.end(id, b, *b.endAtStart)
	}
	return b.instance(id), nil
}

// Inspect implements lifecycle.Runtime.
func (r *Runtime) Inspect(ctx context.Context, id string) (lifecycle.Instance, error) {
	if err := r.before(ctx, Inspect, id); err != nil {
		return lifecycle.Instance{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.boxes[id]
	if !ok {
		return lifecycle.Instance{}, lifecycle.ErrNotFound
	}
	return b.instance(id), nil
}

// List implements lifecycle.Runtime.
func (r *Runtime) List(ctx context.Context) ([]lifecycle.Instance, error) {
	if err := r.before(ctx, List, ""); err != nil {
		return nil, err
	}
	list, listed := r.snapshot()
	if listed != nil {
		listed()
	}
	return list, nil
}

func (r *Runtime) snapshot() (list []lifecycle.Instance, listed func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, b := range r.boxes {
		list = append(list, b.instance(id))
	}
	return list, r.listed
}

// AfterList has f run between the moment a list is taken and its return; nil for none.
func (r *Runtime) AfterList(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed = f
}

// Close implements lifecycle.Runtime.
func (r *Runtime) Close() error { return nil }

func (b *box) instance(id string) lifecycle.Instance {
	inst := lifecycle.Instance{
		ID: id, BackendID: b.backendID, Status: b.status, CreatedAt: b.created,
		StartedAt: b.started, FinishedAt: b.finished, Seed: b.seed.Clone(),
		AccessToken: b.token,
	}
	if b.status.State == lifecycle.Running || b.status.State == lifecycle.Paused {
		inst.Address, inst.Published, inst.SharesHost = b.address, b.published, b.host
	}
	return inst
}

// before counts a call, and runs the hook.
func (r *Runtime) before(ctx context.Context, verb Verb, id string) error {
	r.mu.Lock()
	r.counts[verb]++
	hook := r.hook
	r.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, verb, id); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (r *Runtime) enter() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.atWork++
	r.mostWork = max(r.mostWork, r.atWork)
}

func (r *Runtime) exit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.atWork--
}

func (r *Runtime) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}
