package lifecycle

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/idempotency"
)

// Service is the one choke point of the control plane: it validates, allots ids,
// holds the per-sandbox lock, calls the runtime, writes the store and updates the
// Directory. All methods are safe for concurrent use. Errors a client may see are
// *apierror.Error.
type Service struct {
	o         Options
	log       *slog.Logger
	clock     Clock
	metrics   *Metrics
	directory *Directory
	stream    *stream

	sandboxes sync.Map     // string → *tracked; a sandbox is in it from before the runtime hears of its id
	count     atomic.Int64 // of sandboxes

	creates   *slots // creates at work on the backend
	teardowns *slots
	pending   tally // creates in progress, by client
	keys      *idempotency.Ledger
	unmade    unmade
	admission sync.Mutex // held while a create looks at count and adds to it

	expiry     *scheduler
	refreshes  *queue
	reconciles chan struct{} // capacity 1: a reconcile is wanted
	confirms   singleflight.Group

	// unrecorded are removed sandboxes whose record could not be deleted yet.
	unrecorded sync.Map // string → struct{}
	// strangers are ids of the backend that were refused, each logged once.
	strangers memory

	gate gate            // work of callers
	ctx  context.Context // work of the service's own goroutines
	stop context.CancelCauseFunc
	wg   sync.WaitGroup
}

// New makes a service that knows no sandbox yet; Start fills it.
func New(o Options) (*Service, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(context.Background())
	s := &Service{
		o: o, log: o.Logger, clock: o.Clock, metrics: o.Metrics,
		directory:  &Directory{},
		stream:     newStream(o.Clock),
		creates:    newSlots(o.MaxConcurrent),
		teardowns:  newSlots(o.MaxConcurrent),
		refreshes:  newQueue(maxRefreshes),
		reconciles: make(chan struct{}, 1),
		ctx:        ctx, stop: stop,
	}
	s.keys = idempotency.New(o.Keys, o.Clock.Now)
	s.directory.stream.Store(s.stream)
	s.expiry = newScheduler(o.Clock, s.teardowns, s.expire)
	s.metrics.observe(s)
	return s, nil
}

// Start restores what was there before: it lists the backend, joins it with the
// store, finishes what was half done and fills the directory. When it returns nil
// the service is ready, and works in the background until Close. A service is
// started once; after an error it still has to be closed.
func (s *Service) Start(ctx context.Context) error {
	// Watching starts before the list, so that no change falls between the two.
	s.background(s.watch)
	if err := s.restore(ctx); err != nil {
		return err
	}
	s.background(s.expiry.run)
	s.background(s.reconcileLoop)
	for range refreshWorkers {
		s.background(s.refreshLoop)
	}
	s.gate.open()
	return nil
}

// Close refuses new work, ends creates in progress (each removes what it made), and
// waits for everything to finish or for ctx. Sandboxes live on. Runtime and Store
// are the caller's to close afterwards.
func (s *Service) Close(ctx context.Context) error {
	s.stop(ErrClosed)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.gate.close()
		s.wg.Wait()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.metrics.forget(s)
	s.directory.Range(func(e *Entry) bool {
		s.directory.Remove(e.ID, ErrClosed)
		return true
	})
	return nil
}

// background runs work until the service's own context ends, and has Close wait for it.
func (s *Service) background(work func(context.Context)) {
	s.wg.Go(func() { work(s.ctx) })
}

// Directory is what the hot path reads.
func (s *Service) Directory() *Directory { return s.directory }

// RuntimeName is the name of the backend: "docker" or "kubernetes".
func (s *Service) RuntimeName() string { return s.o.Runtime.Name() }

// Readiness tells whether the service can do its work now.
type Readiness struct {
	Ready      bool
	Components map[string]string // "store", "runtime", "events" → "ok" or what is the matter
}

// Ready reports the state of the parts. A broken event stream does not make the
// service unready: connections are confirmed one by one meanwhile.
func (s *Service) Ready() Readiness {
	r := Readiness{Ready: true, Components: map[string]string{"service": "ok", "store": "ok", "runtime": "ok", "events": "ok"}}
	fail := func(component, state string) {
		r.Components[component] = state
		r.Ready = false
	}
	if !s.gate.isOpen() {
		fail("service", "not started or stopping")
	}
	if s.metrics.storeFailing.Load() {
		fail("store", "the last write failed")
	}
	if s.stream.listFailing.Load() {
		fail("runtime", "the last list failed")
	}
	if down := s.stream.downFor(); down > 0 {
		r.Components["events"] = "down for " + down.Truncate(time.Second).String()
	}
	return r
}

// find looks an id up in memory; unknown and unusable ids are one answer, and so are the
// members of pools.
func (s *Service) find(id string) (*tracked, error) {
	u, err := s.known(id)
	if err == nil && u.member.Load() {
		return nil, s.NotFound(id)
	}
	return u, err
}

// known is find for the service's own work, which has members of pools as its object too.
func (s *Service) known(id string) (*tracked, error) {
	if v, ok := s.sandboxes.Load(id); ok {
		return v.(*tracked), nil
	}
	return nil, s.NotFound(id)
}

// take finds a sandbox and locks it. The caller must call release.
func (s *Service) take(ctx context.Context, id string) (*tracked, error) {
	u, err := s.find(id)
	if err != nil {
		return nil, err
	}
	if err := u.acquire(ctx); err != nil {
		return nil, s.waitError(err)
	}
	if u.gone {
		s.release(u)
		return nil, s.NotFound(id)
	}
	return u, nil
}

// takeLive is take for what only makes sense on a sandbox that is not being removed.
func (s *Service) takeLive(ctx context.Context, id string) (*tracked, error) {
	if u, err := s.find(id); err == nil && u.view.Load().record.Phase == Creating {
		return nil, apierror.New(http.StatusConflict, s.code("SANDBOX_NOT_RUNNING"), "The sandbox is still being created. Try again when it is Running.").Retry(1)
	}
	u, err := s.take(ctx, id)
	if err != nil {
		return nil, err
	}
	switch u.view.Load().record.Phase {
	case Live:
		return u, nil
	case Unmade:
		err = apierror.New(http.StatusConflict, s.code("SANDBOX_NOT_RUNNING"), "The sandbox could not be created; its status says why.")
	default:
		err = s.NotFound(id)
	}
	s.release(u)
	return nil, err
}

// release unlocks u, and sees to what happened meanwhile: a deadline, or an event of the
// backend.
func (s *Service) release(u *tracked) {
	<-u.lock
	if u.due.Swap(false) {
		s.expiry.set(u.id, s.clock.Now())
	}
	if u.stale.Load() {
		s.refreshes.push(u.id, s.wantReconcile)
	}
}

// add makes an id known.
func (s *Service) add(u *tracked) {
	s.sandboxes.Store(u.id, u)
	s.count.Add(1)
}

// drop makes an id unknown. The caller holds the lock.
func (s *Service) drop(u *tracked) {
	u.gone = true
	s.expiry.remove(u.id)
	s.unmade.remove(u.id)
	s.sandboxes.Delete(u.id)
	s.count.Add(-1)
	if s.o.Pools != nil {
		s.o.Pools.Gone(u.id)
	}
}

// detached returns a context for work that has to be finished even if the caller
// leaves: bounded, but not cancelled with ctx.
func detached(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}
