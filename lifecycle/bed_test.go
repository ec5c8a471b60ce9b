package lifecycle_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/secret"
)

const patience = time.Minute

// bed is a service on the fake backend, with a clock and a store under the test's control.
type bed struct {
	*lifecycle.Service
	t       *testing.T
	runtime *runtimefake.Runtime
	store   *memStore
	clock   *fakeClock
	prober  *fakeProber
	options lifecycle.Options
}

// newBed makes a bed whose service has not started.
func newBed(t *testing.T, change ...func(*lifecycle.Options)) *bed {
	t.Helper()
	b := &bed{t: t, runtime: runtimefake.New(), store: newMemStore(), clock: newFakeClock(), prober: &fakeProber{}}
	b.runtime.Now = b.clock.Now
	b.options = lifecycle.Options{
		Runtime: b.runtime, Store: b.store, Clock: b.clock, Prober: b.prober,
		Secret: secret.New("0123456789abcdef0123456789abcdef"),
	}
	for _, c := range change {
		c(&b.options)
	}
	b.renew()
	return b
}

// renew puts a new service in the place of the old one, which has to be closed.
func (b *bed) renew() {
	b.t.Helper()
	s, err := lifecycle.New(b.options)
	require.NoError(b.t, err)
	b.Service = s
	b.t.Cleanup(func() { b.close(s) })
}

func (b *bed) close(s *lifecycle.Service) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.t.Context()), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		b.t.Errorf("close: %v", err)
	}
}

// started makes a bed whose service runs.
func started(t *testing.T, change ...func(*lifecycle.Options)) *bed {
	t.Helper()
	b := newBed(t, change...)
	b.start()
	return b
}

func (b *bed) start() {
	b.t.Helper()
	lists := b.runtime.Count(runtimefake.List)
	require.NoError(b.t, b.Start(b.t.Context()))
	// One list to restore, and one because the event stream came up.
	b.eventually(func() bool { return b.runtime.Count(runtimefake.List) >= lists+2 })
}

// restart closes the service and starts another one on the same backend and store.
func (b *bed) restart() {
	b.t.Helper()
	b.close(b.Service)
	b.renew()
	b.start()
}

// hold stops the backend at the first call of a verb: reached is closed then, and the
// call goes on when proceed is.
func (b *bed) hold(verb runtimefake.Verb) (reached, proceed chan struct{}) {
	reached, proceed = make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.runtime.SetHook(func(_ context.Context, v runtimefake.Verb, _ string) error {
		if v == verb {
			once.Do(func() { close(reached); <-proceed })
		}
		return nil
	})
	return reached, proceed
}

func (b *bed) eventually(condition func() bool, text ...any) {
	b.t.Helper()
	require.Eventually(b.t, condition, patience, time.Millisecond, text...)
}

// advance moves the clock, and has the scheduler look at it: what it is about to sleep
// may have been reckoned by the time before.
func (b *bed) advance(d time.Duration) {
	b.clock.advance(d)
	b.Service.Nudge()
}

// request is a valid create request.
func request(change ...func(*lifecycle.CreateRequest)) lifecycle.CreateRequest {
	r := lifecycle.CreateRequest{
		Image: "python:3.11", Timeout: time.Hour, Entrypoint: []string{"sleep", "inf"},
		Resources: map[string]string{"cpu": "500m", "memory": "512Mi"},
		Metadata:  map[string]string{"team": "ml"},
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func (b *bed) create(change ...func(*lifecycle.CreateRequest)) lifecycle.Sandbox {
	b.t.Helper()
	sb, err := b.Create(b.t.Context(), request(change...))
	require.NoError(b.t, err)
	return sb
}

func (b *bed) entry(id string) *lifecycle.Entry {
	b.t.Helper()
	e, ok := b.Directory().Lookup(id)
	require.True(b.t, ok, "no entry")
	return e
}

// nothingLeft requires that no trace of any sandbox exists.
func (b *bed) nothingLeft() {
	b.t.Helper()
	b.eventually(func() bool {
		list, err := b.List(b.t.Context(), lifecycle.Filter{}, lifecycle.Page{Number: 1, Size: 1})
		return err == nil && list.Total == 0 && b.runtime.Empty() && len(b.store.all()) == 0 && b.Directory().Len() == 0
	}, "something is left behind")
}

// fails requires a typed error.
func fails(t *testing.T, err error, status int, code string) *apierror.Error {
	t.Helper()
	var typed *apierror.Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, code, typed.Code, "%v", err)
	require.Equal(t, status, typed.Status, "%v", err)
	require.NotEmpty(t, typed.Message)
	return typed
}

// fakeProber answers for execd.
type fakeProber struct {
	mu sync.Mutex
	fn func(context.Context, netip.AddrPort) error
}

func (p *fakeProber) set(fn func(context.Context, netip.AddrPort) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fn = fn
}

func (p *fakeProber) Ping(ctx context.Context, d lifecycle.Daemon) error {
	p.mu.Lock()
	fn := p.fn
	p.mu.Unlock()
	if fn == nil {
		return nil
	}
	return fn(ctx, d.Address)
}

var errRefused = errors.New("connection refused")

func silent(context.Context, netip.AddrPort) error { return errRefused }

// memStore is a Store in memory whose writes can fail.
type memStore struct {
	mu      sync.Mutex
	records map[string]lifecycle.Record
	fault   func(op string, r lifecycle.Record) error
}

func newMemStore() *memStore { return &memStore{records: map[string]lifecycle.Record{}} }

func (s *memStore) failing(fault func(op string, r lifecycle.Record) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *memStore) check(ctx context.Context, op string, r lifecycle.Record) error {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if err := fault(op, r); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *memStore) Put(ctx context.Context, r lifecycle.Record) error {
	if err := s.check(ctx, "put", r); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[r.ID] = r.Clone()
	return nil
}

func (s *memStore) Delete(ctx context.Context, id string) error {
	if err := s.check(ctx, "delete", lifecycle.Record{ID: id}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, id)
	return nil
}

func (s *memStore) All(context.Context) ([]lifecycle.Record, error) { return s.all(), nil }

func (s *memStore) Close() error { return nil }

func (s *memStore) all() []lifecycle.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []lifecycle.Record
	for _, r := range s.records {
		all = append(all, r.Clone())
	}
	return all
}

func (s *memStore) get(id string) (lifecycle.Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[id]
	return r.Clone(), ok
}
