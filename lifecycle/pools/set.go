package pools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Service is what a Set needs of *lifecycle.Service.
type Service interface {
	CheckTemplate(r lifecycle.CreateRequest) error
	AddMember(ctx context.Context, p lifecycle.Place) error
	RemoveMember(ctx context.Context, id string) error
}

// Options make a Set. Store is required.
type Options struct {
	Store  Store
	Logger *slog.Logger // default: none
	// Pace is the least time between the starts of two members; 100 ms.
	Pace time.Duration
	// AtOnce bounds the members being made or removed at once, each; 2.
	AtOnce int
}

// Set is the pools of one server. It is safe for concurrent use.
type Set struct {
	store   Store
	log     *slog.Logger
	pace    time.Duration
	atOnce  int
	metrics *metrics
	client  *http.Client // of execd

	changing sync.Mutex // held while pools are added, resized and removed

	mu      sync.Mutex
	pools   map[string]*pool
	members map[string]*member
	leaving []string // members to be removed, oldest first
	service Service  // nil until Start

	wake   chan struct{} // capacity 1
	stop   context.CancelFunc
	work   sync.WaitGroup
	making int // by this Set's goroutine; guarded by mu
	going  int
}

// pool is one pool and its members, guarded by the Set's mu.
type pool struct {
	Pool
	revision string
	idle     []string // oldest first
	making   int
	claimed  int
	leaving  int
	failures int
	resting  time.Time // no member is made before
}

type state uint8

const (
	making state = iota
	idle
	claimed
	leaving
)

type member struct {
	pool  *pool
	state state
}

// Open makes a Set of what the store has. It does nothing by itself before Start.
func Open(ctx context.Context, o Options) (*Set, error) {
	s := &Set{
		store: o.Store, log: o.Logger, pace: o.Pace, atOnce: o.AtOnce, metrics: newMetrics(), client: newClient(),
		pools: map[string]*pool{}, members: map[string]*member{}, wake: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.pace <= 0 {
		s.pace = 100 * time.Millisecond
	}
	if s.atOnce <= 0 {
		s.atOnce = 2
	}
	known, err := o.Store.Pools(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the pools: %w", err)
	}
	rows, err := o.Store.Members(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the members of pools: %w", err)
	}
	for _, p := range known {
		s.pools[p.Name] = &pool{Pool: p, revision: p.Template.Revision()}
	}
	for _, row := range rows {
		p := s.pools[row.Pool]
		switch {
		case p == nil: // the store keeps no such row
		case row.Claimed:
			s.members[row.ID] = &member{p, claimed}
			p.claimed++
		default:
			s.members[row.ID] = &member{p, idle}
			p.idle = append(p.idle, row.ID)
		}
	}
	return s, nil
}

// Start begins to refill, through a service that has restored its sandboxes.
func (s *Set) Start(service Service) {
	ctx, stop := context.WithCancel(context.Background())
	s.mu.Lock()
	s.service, s.stop = service, stop
	s.mu.Unlock()
	s.work.Go(func() { s.refill(ctx) })
}

// Close ends refilling and waits for members under way, which are removed. Members stay.
// It comes before the service's Close.
func (s *Set) Close() {
	s.mu.Lock()
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	s.work.Wait()
	s.client.CloseIdleConnections()
}

// Add keeps a new pool and begins to fill it.
func (s *Set) Add(ctx context.Context, p Pool) (View, error) {
	if err := p.check(); err != nil {
		return View{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.Lock()
	service, exists, full := s.service, s.pools[p.Name] != nil, len(s.pools) >= MaxPools
	s.mu.Unlock()
	switch {
	case service == nil:
		return View{}, apierror.New(http.StatusServiceUnavailable, CodeFailed, "The server is not started yet. Try again.").Retry(1)
	case exists:
		return View{}, apierror.New(http.StatusConflict, CodeExists, "There is a pool %q already.", p.Name)
	case full:
		return View{}, apierror.New(http.StatusTooManyRequests, CodeExhausted, "This server keeps at most %d pools. Delete one first.", MaxPools).Retry(retryFull)
	}
	if err := service.CheckTemplate(p.Template.Request()); err != nil {
		return View{}, err
	}
	p.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	if err := s.store.PutPool(ctx, p); err != nil {
		return View{}, failed(err, "The pool could not be saved.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := &pool{Pool: p, revision: p.Template.Revision()}
	s.pools[p.Name] = kept
	s.nudge()
	return kept.view(), nil
}

// Resize gives a pool another capacity.
func (s *Set) Resize(ctx context.Context, name string, c Capacity) (View, error) {
	if err := c.Check(); err != nil {
		return View{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	v, err := s.Get(name)
	if err != nil {
		return View{}, err
	}
	v.Capacity = c
	if err := s.store.PutPool(ctx, v.Pool); err != nil {
		return View{}, failed(err, "The pool could not be saved.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pools[name]
	p.Capacity, p.failures, p.resting = c, 0, time.Time{}
	s.nudge()
	return p.view(), nil
}

// Remove ends a pool. Its members are removed soon after; sandboxes that were claimed live
// on as their clients said.
func (s *Set) Remove(ctx context.Context, name string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if _, err := s.Get(name); err != nil {
		return err
	}
	if err := s.store.DeletePool(ctx, name); err != nil {
		return failed(err, "The pool could not be deleted.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pools[name]
	delete(s.pools, name)
	for _, id := range slices.Clone(p.idle) {
		s.leave(id)
	}
	s.nudge()
	return nil
}

// Get tells about one pool.
func (s *Set) Get(name string) (View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pools[name]
	if p == nil {
		return View{}, notFound(name)
	}
	return p.view(), nil
}

// List tells about all pools, by name.
func (s *Set) List() []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]View, 0, len(s.pools))
	for _, p := range s.pools {
		list = append(list, p.view())
	}
	slices.SortFunc(list, func(a, b View) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (p *pool) counts() counts {
	return counts{making: p.making, idle: len(p.idle), claimed: p.claimed, leaving: p.leaving}
}

func (p *pool) view() View {
	n := p.counts()
	return View{Pool: p.Pool, Status: Status{Total: n.total(), Allocated: n.claimed, Available: n.idle, Revision: p.revision}}
}

// nudge has the goroutine look at the pools. It never blocks.
func (s *Set) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

var errPoolGone = errors.New("the pool was deleted")
