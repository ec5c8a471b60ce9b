package snapshots

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// The codes of contract 01 §16.
const (
	CodeNotSupported = "SNAPSHOT::NOT_IMPLEMENTED"
	codeNotFound     = "SNAPSHOT::NOT_FOUND"
	codeNotReady     = "SNAPSHOT::NOT_READY"
	codeNoImage      = "SNAPSHOT::INVALID_RESTORE_CONFIG"
	codeSourceState  = "SNAPSHOT::INVALID_SOURCE_STATE"
	codeState        = "SNAPSHOT::INVALID_STATE"
	codeConflict     = "SNAPSHOT::DELETE_CONFLICT"
	codeOverloaded   = "GENERAL::SERVER_OVERLOADED"
)

// maxWaiting is how many snapshots may wait for a worker; more are answered with 503.
const maxWaiting = 256

// Source is what a Catalogue needs of *lifecycle.Service.
type Source interface {
	Get(ctx context.Context, id string) (lifecycle.Sandbox, error)
	Hold(ctx context.Context, id string, do func(context.Context) error) error
}

// Options make a Catalogue. Store and Snapshotter are required; every other zero value
// stands for the default given in its comment.
type Options struct {
	Store       Store
	Snapshotter Snapshotter

	Workers int           // 2
	Timeout time.Duration // of one snapshot, the wait for its sandbox included; 10 min
	Sweep   time.Duration // how often deletes are retried and late artifacts removed; 1 min
	Grace   time.Duration // what Close gives to snapshots that are being taken; 10 s

	Now    func() time.Time // time.Now
	Logger *slog.Logger     // none
}

// Catalogue takes, lists and removes snapshots. It is safe for concurrent use. Errors a
// client may see are *apierror.Error.
type Catalogue struct {
	o       Options
	source  Source
	waiting chan Snapshot
	metrics *metrics

	mu      sync.Mutex
	closed  bool
	dropped map[string]time.Time // ids of rows that are gone, whose artifact may yet come

	closing chan struct{}
	life    context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// Open settles what an earlier process has left half done: what it finds made is Ready,
// the rest Failed. Nothing is taken before Start.
func Open(ctx context.Context, o Options) (*Catalogue, error) {
	positive(&o.Workers, 2)
	positive(&o.Timeout, 10*time.Minute)
	positive(&o.Sweep, time.Minute)
	positive(&o.Grace, 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	life, stop := context.WithCancel(context.Background())
	c := &Catalogue{
		o: o, waiting: make(chan Snapshot, maxWaiting), metrics: newMetrics(),
		dropped: map[string]time.Time{}, closing: make(chan struct{}), life: life, stop: stop,
	}
	if err := c.recover(ctx); err != nil {
		stop()
		return nil, err
	}
	return c, nil
}

func positive[T int | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

// Start begins to take snapshots of the source's sandboxes.
func (c *Catalogue) Start(source Source) {
	c.source = source
	for range c.o.Workers {
		c.workers.Go(c.work)
	}
	c.workers.Go(c.sweepLoop)
}

// Close refuses new snapshots and waits for those being taken, for Options.Grace at most.
// Those that were not finished are settled by the next Open.
func (c *Catalogue) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.closing)
	}
	c.mu.Unlock()
	timer := time.AfterFunc(c.o.Grace, c.stop)
	c.workers.Wait()
	timer.Stop()
	c.stop()
}

// Add begins a snapshot of a sandbox that runs or is paused. It is Creating when this returns.
func (c *Catalogue) Add(ctx context.Context, sandboxID, name string) (Snapshot, error) {
	sandbox, err := c.source.Get(ctx, sandboxID)
	if err != nil {
		return Snapshot{}, err
	}
	if !Takable(sandbox.Status.State) {
		return Snapshot{}, ErrSourceState()
	}
	now := c.now()
	s := Snapshot{
		ID: uuid.NewString(), SandboxID: sandbox.ID, Name: name, CreatedAt: now,
		Status: Status{State: Creating, Reason: ReasonAccepted, Message: "The snapshot is being taken.", Since: now},
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.waiting) == cap(c.waiting) {
		return Snapshot{}, apierror.New(http.StatusServiceUnavailable, codeOverloaded, "Too many snapshots wait to be taken, or the server is stopping. Try again.").Retry(5)
	}
	if err := c.o.Store.AddSnapshot(ctx, s); err != nil {
		return Snapshot{}, err
	}
	c.waiting <- s // there is room: only Add writes, and it holds the lock
	return s, nil
}

// Takable tells whether a sandbox in that state can be snapshotted.
func Takable(state lifecycle.State) bool {
	return state == lifecycle.Running || state == lifecycle.Paused
}

// ErrSourceState is the answer where Takable says no.
func ErrSourceState() *apierror.Error {
	return apierror.New(http.StatusConflict, codeSourceState, "Only a sandbox that is Running or Paused can be snapshotted.")
}

// Get returns one snapshot.
func (c *Catalogue) Get(ctx context.Context, id string) (Snapshot, error) {
	s, err := c.row(ctx, id)
	if err != nil {
		return Snapshot{}, err
	}
	return s.shown(), nil
}

// row is Get without the guise that damaged rows have for clients.
func (c *Catalogue) row(ctx context.Context, id string) (Snapshot, error) {
	s, err := c.o.Store.Snapshot(ctx, id)
	if errors.Is(err, ErrNoRow) {
		return Snapshot{}, NotFound(id)
	}
	return s, err
}

// List returns one page, newest first, and how many there are. Pages count from 1.
func (c *Catalogue) List(ctx context.Context, f Filter, page, size int) ([]Snapshot, int, error) {
	rows, total, err := c.o.Store.Snapshots(ctx, f, int64(page-1)*int64(size), int64(size))
	for i, s := range rows {
		rows[i] = s.shown()
	}
	return rows, total, err
}

// RestoreImage implements lifecycle.Snapshots.
func (c *Catalogue) RestoreImage(ctx context.Context, id string) (string, error) {
	s, err := c.row(ctx, id)
	switch {
	case err != nil:
		return "", err
	case s.Status.State != Ready:
		return "", apierror.New(http.StatusConflict, codeNotReady, "The snapshot is %s; wait until it is Ready.", s.shown().Status.State)
	case s.Image == "":
		return "", apierror.New(http.StatusConflict, codeNoImage, "The snapshot has nothing to restore from; take another one.")
	}
	return s.Image, nil
}

func (c *Catalogue) now() time.Time { return c.o.Now().UTC().Truncate(time.Microsecond) }

// NotFound is the answer to an id of no snapshot, and to one that is removed while a
// sandbox is made of it.
func NotFound(id string) *apierror.Error {
	return apierror.New(http.StatusNotFound, codeNotFound, "There is no snapshot %q.", apierror.Clip(id))
}
