package renew_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// extender records renewals; gate, when set, holds each until something is received.
type extender struct {
	mu   sync.Mutex
	ids  []string
	last lifecycle.Access
	gate chan struct{}
	err  error
}

func (x *extender) ExtendOnAccess(ctx context.Context, id string, a lifecycle.Access) (lifecycle.Extension, error) {
	if x.gate != nil {
		select {
		case <-x.gate:
		case <-ctx.Done():
			return lifecycle.Extension{}, ctx.Err()
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ids, x.last = append(x.ids, id), a
	return lifecycle.Extension{Outcome: lifecycle.Renewed}, x.err
}

func (x *extender) renewed() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.ids)
}

func (x *extender) waitFor(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return x.renewed() == n }, patience, time.Millisecond)
}

// clock is settable nanoseconds.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) add(d time.Duration) { c.ns.Add(int64(d)) }

func entry(t testing.TB, id string, extend time.Duration) *lifecycle.Entry {
	t.Helper()
	e, err := new(lifecycle.Directory).Publish(lifecycle.Entry{
		ID: id, State: lifecycle.Running, Address: netip.MustParseAddr("10.0.0.1"), RenewExtend: extend,
	})
	require.NoError(t, err)
	return e
}

func start(t *testing.T, o renew.Options) *renew.Renewer {
	t.Helper()
	r, err := renew.New(o)
	require.NoError(t, err)
	r.Set(renew.Rules{Enabled: true, MinInterval: time.Minute})
	r.Start()
	t.Cleanup(func() { require.NoError(t, r.Close(context.WithoutCancel(t.Context()))) })
	return r
}

// counts reads the outcomes that are not zero, as "source outcome".
func counts(t *testing.T, r *renew.Renewer) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(r))
	families, err := reg.Gather()
	require.NoError(t, err)
	counts := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if n := m.GetCounter().GetValue(); n > 0 && f.GetName() == "opensandbox_renew_intents_total" {
				counts[m.GetLabel()[1].GetValue()+" "+m.GetLabel()[0].GetValue()] = n
			}
		}
	}
	return counts
}

// idle is an entry with an idle timeout that never expires otherwise.
func idle(t testing.TB, id string, timeout time.Duration) *lifecycle.Entry {
	t.Helper()
	e := entry(t, id, 0)
	e.IdleTimeout = timeout
	return e
}

func TestOnePerInterval(t *testing.T) {
	x, c := &extender{}, newClock()
	r := start(t, renew.Options{Extender: x, Now: c.ns.Load})
	e := entry(t, "a", 10*time.Minute)

	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { r.Touch(e, 8080, "") })
	}
	wg.Wait()
	x.waitFor(t, 1)

	c.add(time.Minute - 1)
	r.Touch(e, 8080, "")
	c.add(1)
	r.Touch(e, 8080, "")
	x.waitFor(t, 2)
	require.Never(t, func() bool { return x.renewed() > 2 }, 20*time.Millisecond, time.Millisecond)
}

func TestWhoIsNotRenewed(t *testing.T) {
	x, c := &extender{}, newClock()
	r := start(t, renew.Options{Extender: x, Now: c.ns.Load})
	r.Touch(entry(t, "not-opted-in", 0), 8080, "")
	paused := *entry(t, "paused", time.Hour)
	paused.State = lifecycle.Paused
	r.Touch(&paused, 8080, "")
	require.Zero(t, paused.LastTouch.Load(), "the throttle was taken by a sandbox that was not renewed")

	r.Touch(entry(t, "last", time.Hour), 8080, "")
	x.waitFor(t, 1)
	require.Equal(t, []string{"last"}, x.ids)
	require.Eventually(t, func() bool {
		return maps.Equal(counts(t, r), map[string]float64{"server_proxy not_running": 1, "server_proxy renewed": 1})
	}, patience, time.Millisecond)
}

func TestFullQueueGivesTheThrottleBack(t *testing.T) {
	x, c := &extender{gate: make(chan struct{})}, newClock()
	r := start(t, renew.Options{Extender: x, Queue: 1, Workers: 1, Now: c.ns.Load})
	busy, waiting, late := entry(t, "busy", time.Hour), entry(t, "waiting", time.Hour), entry(t, "late", time.Hour)

	r.Touch(busy, 8080, "")
	// The queue is full once the worker holds the first and the second one waits.
	require.Eventually(t, func() bool {
		waiting.LastTouch.Store(0)
		r.Touch(waiting, 8080, "")
		before := late.LastTouch.Load()
		r.Touch(late, 8080, "")
		return late.LastTouch.Load() == before && before == 0
	}, patience, time.Millisecond)

	// Same instant: the throttle was given back, so a retry is let through once there is room.
	close(x.gate)
	require.Eventually(t, func() bool {
		r.Touch(late, 8080, "")
		return late.LastTouch.Load() == c.ns.Load()
	}, patience, time.Millisecond)
}

func TestFailureBacksOffOneInterval(t *testing.T) {
	x, c := &extender{err: errors.New("store is full")}, newClock()
	r := start(t, renew.Options{Extender: x, Now: c.ns.Load})
	e := entry(t, "a", time.Hour)
	r.Touch(e, 8080, "")
	x.waitFor(t, 1)
	r.Touch(e, 8080, "")
	c.add(time.Minute)
	r.Touch(e, 8080, "")
	x.waitFor(t, 2)
}

func TestClockGoingBackDoesNotSilence(t *testing.T) {
	x, c := &extender{}, newClock()
	r := start(t, renew.Options{Extender: x, Now: c.ns.Load})
	e := entry(t, "a", time.Hour)
	r.Touch(e, 8080, "")
	x.waitFor(t, 1)
	c.add(-24 * time.Hour)
	r.Touch(e, 8080, "")
	x.waitFor(t, 2)
	r.Touch(e, 8080, "")
	require.Never(t, func() bool { return x.renewed() > 2 }, 20*time.Millisecond, time.Millisecond)
}

func TestCloseDoesWhatIsQueued(t *testing.T) {
	x, c := &extender{}, newClock()
	r, err := renew.New(renew.Options{Extender: x, Now: c.ns.Load})
	require.NoError(t, err)
	r.Set(renew.Rules{Enabled: true})
	for _, id := range []string{"a", "b", "c"} { // nobody serves the queue yet
		r.Touch(entry(t, id, time.Hour), 8080, "")
	}
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, 3, x.renewed())
}

func TestCloseIsBounded(t *testing.T) {
	x, c := &extender{gate: make(chan struct{})}, newClock()
	r, err := renew.New(renew.Options{Extender: x, Now: c.ns.Load})
	require.NoError(t, err)
	r.Set(renew.Rules{Enabled: true})
	r.Touch(entry(t, "a", time.Hour), 8080, "")
	r.Touch(entry(t, "b", time.Hour), 8080, "")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.Close(ctx), context.DeadlineExceeded)
	require.Zero(t, x.renewed())
}

func TestTouchDoesNotAllocate(t *testing.T) {
	x := &extender{}
	r, err := renew.New(renew.Options{Extender: x, Queue: 1 << 16})
	require.NoError(t, err)
	r.Set(renew.Rules{Enabled: true, MinInterval: time.Nanosecond})
	for name, e := range map[string]*lifecycle.Entry{
		"not opted in": entry(t, "a", 0), "due": entry(t, "b", time.Hour), "idle": idle(t, "c", time.Minute),
	} {
		require.Zero(t, testing.AllocsPerRun(1000, func() { r.Touch(e, 8080, "") }), name)
	}
	require.NoError(t, r.Close(t.Context()))
	require.NotZero(t, x.renewed(), "the due touches were none")
}

func TestIdleSandboxesAreTouchedInAnyCase(t *testing.T) {
	x, c := &extender{}, newClock()
	r := start(t, renew.Options{Extender: x, Now: c.ns.Load})
	r.Set(renew.Rules{Enabled: false, MinInterval: time.Minute})
	r.Touch(entry(t, "not-now", time.Hour), 8080, "")
	e := idle(t, "a", time.Minute)
	for n := range 10 { // every three seconds, a twentieth
		r.Touch(e, 8080, "")
		x.waitFor(t, n+1)
		c.add(3*time.Second - 1)
		r.Touch(e, 8080, "")
		c.add(1)
	}
	require.NotContains(t, x.ids, "not-now")
	require.Equal(t, lifecycle.Access{Extend: false, Unseen: 6 * time.Second}, x.last)

	r.Set(renew.Rules{Enabled: true, MinInterval: time.Second})
	r.Touch(e, 8080, "")
	x.waitFor(t, 11)
	require.Equal(t, lifecycle.Access{Extend: true, Unseen: 2 * time.Second}, x.last)
}

// A slow store must not fill the queue with the same sandbox again and again.
func TestASandboxWaitsOnce(t *testing.T) {
	x, c := &extender{gate: make(chan struct{})}, newClock()
	r := start(t, renew.Options{Extender: x, Workers: 1, Now: c.ns.Load})
	r.Touch(entry(t, "busy", time.Hour), 8080, "")
	e := entry(t, "a", time.Hour)
	for range 5 {
		r.Touch(e, 8080, "")
		c.add(time.Minute)
	}
	close(x.gate)
	x.waitFor(t, 2)
	require.Equal(t, 4.0, counts(t, r)["server_proxy duplicate"])
	r.Touch(e, 8080, "")
	x.waitFor(t, 3)
}

func TestOneCooldownForAllSources(t *testing.T) {
	x, c := &extender{}, newClock()
	e := entry(t, "a", time.Hour)
	paused := *entry(t, "paused", time.Hour)
	paused.State = lifecycle.Paused
	known := map[string]*lifecycle.Entry{"a": e, "plain": entry(t, "plain", 0), "paused": &paused}
	r := start(t, renew.Options{Extender: x, Now: c.ns.Load, Lookup: func(id string) (*lifecycle.Entry, bool) {
		e, ok := known[id]
		return e, ok
	}})
	r.Touch(e, 8080, "")
	for id := range known {
		r.Accept(id)
	}
	r.Accept("nobody")
	r.Refuse(renew.Stale, "a")
	x.waitFor(t, 1)
	c.add(time.Minute)
	r.Accept("a")
	x.waitFor(t, 2)
	r.Touch(e, 8080, "")
	require.Eventually(t, func() bool {
		return maps.Equal(counts(t, r), map[string]float64{
			"server_proxy renewed": 1, "redis_queue renewed": 1, "redis_queue throttled": 1, "redis_queue not_opted_in": 1,
			"redis_queue not_running": 1, "redis_queue unknown": 1, "redis_queue stale": 1,
		})
	}, patience, time.Millisecond, "%v", counts(t, r))
}

func TestTouchAfterCloseGivesTheThrottleBack(t *testing.T) {
	r, err := renew.New(renew.Options{Extender: &extender{}})
	require.NoError(t, err)
	r.Set(renew.Rules{Enabled: true})
	require.NoError(t, r.Close(t.Context()))
	e := entry(t, "a", time.Hour)
	r.Touch(e, 8080, "")
	require.Zero(t, e.LastTouch.Load())
	require.Equal(t, map[string]float64{"server_proxy closed": 1}, counts(t, r))
}

// lock answers as it is told to.
type lock struct {
	ours  bool
	err   error
	asked atomic.Int64
}

func (l *lock) Take(context.Context, string, time.Duration) (bool, error) {
	l.asked.Add(1)
	return l.ours, l.err
}

func TestTheLockDecidesUnlessItIsBroken(t *testing.T) {
	for name, c := range map[string]struct {
		lock *lock
		want map[string]float64
	}{
		"ours":   {&lock{ours: true}, map[string]float64{"server_proxy renewed": 1}},
		"theirs": {&lock{}, map[string]float64{"server_proxy elsewhere": 1}},
		"broken": {&lock{err: errors.New("no connection")}, map[string]float64{"server_proxy renewed": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			x := &extender{}
			r := start(t, renew.Options{Extender: x, Lock: c.lock})
			r.Touch(entry(t, "a", time.Hour), 8080, "")
			require.Eventually(t, func() bool { return maps.Equal(counts(t, r), c.want) }, patience, time.Millisecond)
			require.EqualValues(t, 1, c.lock.asked.Load())
		})
	}
}

func TestEveryDropIsToldOnceInAWhile(t *testing.T) {
	var out strings.Builder
	r, err := renew.New(renew.Options{Extender: &extender{}, Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	for range 100 {
		r.Accept("nobody\n" + strings.Repeat("x", 1<<20))
		r.Refuse(renew.Malformed, "")
		r.Refuse(renew.Future, "a")
	}
	require.Equal(t, 3, strings.Count(out.String(), "\n"), out.String())
	require.Contains(t, out.String(), "renew_skip_reason=malformed")
	require.Less(t, out.Len(), 4096)
	require.NoError(t, r.Close(t.Context()))
}

func TestNeedsAnExtender(t *testing.T) {
	_, err := renew.New(renew.Options{})
	require.Error(t, err)
}

func BenchmarkTouch(b *testing.B) {
	r, err := renew.New(renew.Options{Extender: &extender{}})
	require.NoError(b, err)
	r.Set(renew.Rules{Enabled: true})
	e := entry(b, "a", time.Hour)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Touch(e, 8080, "")
		}
	})
	b.Run("all cores", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r.Touch(e, 8080, "")
			}
		})
	})
	require.NoError(b, r.Close(b.Context()))
}
