package renew_test

import (
	"context"
	"errors"
	"net/netip"
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

// extender records renewals; gate, when set, holds each until something is received.
type extender struct {
	mu   sync.Mutex
	ids  []string
	gate chan struct{}
	err  error
}

func (x *extender) ExtendOnAccess(ctx context.Context, id string) (time.Time, error) {
	if x.gate != nil {
		select {
		case <-x.gate:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ids = append(x.ids, id)
	return time.Time{}, x.err
}

func (x *extender) renewed() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.ids)
}

func (x *extender) waitFor(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return x.renewed() == n }, 5*time.Second, time.Millisecond)
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
	r.Start()
	t.Cleanup(func() { require.NoError(t, r.Close(context.WithoutCancel(t.Context()))) })
	return r
}

// dropped reads the counters by reason.
func dropped(t *testing.T, r *renew.Renewer) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(r))
	families, err := reg.Gather()
	require.NoError(t, err)
	counts := map[string]float64{}
	for _, f := range families {
		if f.GetName() == "opensandbox_renewals_dropped_total" {
			for _, m := range f.GetMetric() {
				counts[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return counts
}

func TestOnePerInterval(t *testing.T) {
	x, c := &extender{}, newClock()
	r := start(t, renew.Options{Extender: x, MinInterval: time.Minute, Now: c.ns.Load})
	e := entry(t, "a", 10*time.Minute)

	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { r.Touch(e) })
	}
	wg.Wait()
	x.waitFor(t, 1)

	c.add(time.Minute - 1)
	r.Touch(e)
	c.add(1)
	r.Touch(e)
	x.waitFor(t, 2)
	require.Never(t, func() bool { return x.renewed() > 2 }, 20*time.Millisecond, time.Millisecond)
}

func TestWhoIsNotRenewed(t *testing.T) {
	x, c := &extender{}, newClock()
	r := start(t, renew.Options{Extender: x, Now: c.ns.Load})
	r.Touch(entry(t, "not-opted-in", 0))
	paused := *entry(t, "paused", time.Hour)
	paused.State = lifecycle.Paused
	r.Touch(&paused)
	require.Zero(t, paused.LastTouch.Load(), "the throttle was taken by a sandbox that was not renewed")

	r.Touch(entry(t, "last", time.Hour))
	x.waitFor(t, 1)
	require.Equal(t, []string{"last"}, x.ids)
	require.Equal(t, map[string]float64{"closed": 0, "failed": 0, "not_running": 1, "queue_full": 0}, dropped(t, r))
}

func TestFullQueueGivesTheThrottleBack(t *testing.T) {
	x, c := &extender{gate: make(chan struct{})}, newClock()
	r := start(t, renew.Options{Extender: x, Queue: 1, Workers: 1, Now: c.ns.Load})
	busy, waiting, late := entry(t, "busy", time.Hour), entry(t, "waiting", time.Hour), entry(t, "late", time.Hour)

	r.Touch(busy)
	// The queue is full once the worker holds the first and the second one waits.
	require.Eventually(t, func() bool {
		waiting.LastTouch.Store(0)
		r.Touch(waiting)
		before := late.LastTouch.Load()
		r.Touch(late)
		return late.LastTouch.Load() == before && before == 0
	}, 5*time.Second, time.Millisecond)

	// Same instant: the throttle was given back, so a retry is let through once there is room.
	close(x.gate)
	require.Eventually(t, func() bool {
		r.Touch(late)
		return late.LastTouch.Load() == c.ns.Load()
	}, 5*time.Second, time.Millisecond)
}

func TestFailureBacksOffOneInterval(t *testing.T) {
	x, c := &extender{err: errors.New("store is full")}, newClock()
	r := start(t, renew.Options{Extender: x, MinInterval: time.Minute, Now: c.ns.Load})
	e := entry(t, "a", time.Hour)
	r.Touch(e)
	x.waitFor(t, 1)
	r.Touch(e)
	c.add(time.Minute)
	r.Touch(e)
	x.waitFor(t, 2)
}

func TestClockGoingBackDoesNotSilence(t *testing.T) {
	x, c := &extender{}, newClock()
	r := start(t, renew.Options{Extender: x, MinInterval: time.Minute, Now: c.ns.Load})
	e := entry(t, "a", time.Hour)
	r.Touch(e)
	x.waitFor(t, 1)
	c.add(-24 * time.Hour)
	r.Touch(e)
	x.waitFor(t, 2)
	r.Touch(e)
	require.Never(t, func() bool { return x.renewed() > 2 }, 20*time.Millisecond, time.Millisecond)
}

func TestCloseDoesWhatIsQueued(t *testing.T) {
	x, c := &extender{}, newClock()
	r, err := renew.New(renew.Options{Extender: x, Now: c.ns.Load})
	require.NoError(t, err)
	for _, id := range []string{"a", "b", "c"} { // nobody serves the queue yet
		r.Touch(entry(t, id, time.Hour))
	}
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, 3, x.renewed())
}

func TestCloseIsBounded(t *testing.T) {
	x, c := &extender{gate: make(chan struct{})}, newClock()
	r, err := renew.New(renew.Options{Extender: x, Now: c.ns.Load})
	require.NoError(t, err)
	r.Touch(entry(t, "a", time.Hour))
	r.Touch(entry(t, "b", time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.Close(ctx), context.DeadlineExceeded)
	require.Zero(t, x.renewed())
}

func TestTouchDoesNotAllocate(t *testing.T) {
	x := &extender{}
	r, err := renew.New(renew.Options{Extender: x, MinInterval: time.Nanosecond, Queue: 1 << 16})
	require.NoError(t, err)
	for name, e := range map[string]*lifecycle.Entry{
		"not opted in": entry(t, "a", 0), "due": entry(t, "b", time.Hour),
	} {
		require.Zero(t, testing.AllocsPerRun(1000, func() { r.Touch(e) }), name)
	}
	require.NoError(t, r.Close(t.Context()))
	require.NotZero(t, x.renewed(), "the due touches were none")
}

func TestNeedsAnExtender(t *testing.T) {
	_, err := renew.New(renew.Options{})
	require.Error(t, err)
}

func BenchmarkTouch(b *testing.B) {
	r, err := renew.New(renew.Options{Extender: &extender{}})
	require.NoError(b, err)
	e := entry(b, "a", time.Hour)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.Touch(e)
		}
	})
	b.Run("all cores", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r.Touch(e)
			}
		})
	})
	require.NoError(b, r.Close(b.Context()))
}
