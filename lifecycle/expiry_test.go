package lifecycle_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

func TestExpiry(t *testing.T) {
	b := started(t)
	first, second, never := b.create(timeout(time.Minute)), b.create(timeout(time.Hour)), b.create(timeout(0))
	e := b.entry(first.ID)

	b.advance(time.Minute - time.Second)
	require.Never(t, func() bool { return !b.runtime.Has(first.ID) }, 20*time.Millisecond, time.Millisecond)
	b.advance(2 * time.Second)
	b.eventually(func() bool { _, err := b.Get(t.Context(), first.ID); return err != nil })
	_, err := b.Get(t.Context(), first.ID)
	fails(t, err, 404, notFound)
	require.ErrorIs(t, e.Ended(), lifecycle.ErrGone)
	_, known := b.store.get(first.ID)
	require.False(t, known)

	require.NoError(t, b.Pause(t.Context(), second.ID))
	b.advance(time.Hour)
	b.eventually(func() bool { return !b.runtime.Has(second.ID) }, "a paused sandbox does not expire")
	b.advance(1000 * time.Hour)
	require.NoError(t, b.Delete(t.Context(), never.ID))
	b.nothingLeft()
}

// Without a nudge: the timer that the scheduler sleeps by ends the sleep.
func TestExpiryWakesUpByItself(t *testing.T) {
	b := started(t)
	sb := b.create(timeout(time.Minute))
	b.eventually(func() bool { b.clock.advance(time.Second); return !b.runtime.Has(sb.ID) })
	b.nothingLeft()
}

// The timer sleeps by a clock that steps do not move, so a sleep is bounded.
func TestExpiryAfterAClockStep(t *testing.T) {
	require.LessOrEqual(t, lifecycle.MaxSleep, 30*time.Second)
	b := started(t)
	sb := b.create(timeout(time.Hour))
	b.clock.step(2 * time.Hour) // the wall clock was set, or the machine slept
	b.eventually(func() bool { b.clock.pass(lifecycle.MaxSleep); return !b.runtime.Has(sb.ID) })

	back := b.create(timeout(time.Hour))
	b.clock.step(-3 * time.Hour)
	b.advance(time.Hour + time.Minute)
	require.Never(t, func() bool { return !b.runtime.Has(back.ID) }, 20*time.Millisecond, time.Millisecond)
	b.clock.step(3 * time.Hour)
	b.eventually(func() bool { b.clock.pass(lifecycle.MaxSleep); return !b.runtime.Has(back.ID) })
}

// The deadline has come, and while the sandbox is busy the clock is set back.
func TestExpiryThatCameTooEarlyIsArmedAgain(t *testing.T) {
	b := started(t)
	sb := b.create(timeout(time.Minute))
	reached, proceed := b.hold(runtimefake.Pause)
	paused := make(chan error, 1)
	go func() { paused <- b.Pause(t.Context(), sb.ID) }()
	<-reached
	b.advance(time.Minute)
	b.eventually(func() bool { _, armed := b.Armed(sb.ID); return !armed })
	b.clock.step(-time.Hour)
	close(proceed)
	require.NoError(t, <-paused)
	b.eventually(func() bool { at, armed := b.Armed(sb.ID); return armed && at.Equal(sb.ExpiresAt) })
	require.True(t, b.runtime.Has(sb.ID))
}

func TestExpiryIsRetriedWithBackOff(t *testing.T) {
	b := started(t)
	sb := b.create(timeout(time.Minute))
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Delete {
			return errors.New("engine is down")
		}
		return nil
	})
	b.advance(time.Minute)
	var last time.Duration
	var at time.Time
	failed := func(n int) { // for the nth time, and it will be tried again at that time
		b.eventually(func() bool { return b.runtime.Count(runtimefake.Delete) == n })
		b.eventually(func() bool { var armed bool; at, armed = b.Armed(sb.ID); return armed })
	}
	for n := 1; n <= 8; n++ {
		failed(n)
		wait := at.Sub(b.clock.Now())
		require.GreaterOrEqual(t, wait, last, "attempt %d", n)
		require.LessOrEqual(t, wait, time.Minute)
		last = wait
		shown, err := b.Get(t.Context(), sb.ID)
		require.NoError(t, err)
		require.Equal(t, lifecycle.Stopping, shown.Status.State)
		_, routed := b.Directory().Lookup(sb.ID)
		require.False(t, routed)
		b.advance(wait)
	}
	failed(9)
	require.Greater(t, last, 10*time.Second)
	_, err := b.Renew(t.Context(), sb.ID, b.clock.Now().Add(time.Hour))
	fails(t, err, 404, notFound)
	b.runtime.SetHook(nil)
	b.advance(time.Minute)
	b.nothingLeft()
}

// Renewals and the timer meet in the same moment, many times: the sandbox is either
// gone, or lives with exactly the deadline it was promised.
func TestRenewRacesTheTimer(t *testing.T) {
	b := started(t)
	renewed := 0
	for range 200 {
		sb := b.create(timeout(time.Minute))
		b.advance(time.Minute - time.Microsecond)
		at := b.clock.Now().Add(time.Hour)
		var wg sync.WaitGroup
		var err error
		wg.Go(func() { b.advance(time.Microsecond) })
		wg.Go(func() { _, err = b.Renew(t.Context(), sb.ID, at) })
		wg.Wait()
		if err != nil {
			fails(t, err, 404, notFound)
			b.eventually(func() bool { return !b.runtime.Has(sb.ID) })
			_, armed := b.Armed(sb.ID)
			require.False(t, armed)
			continue
		}
		renewed++
		want := at.UTC().Truncate(time.Microsecond)
		b.eventually(func() bool { armed, ok := b.Armed(sb.ID); return ok && armed.Equal(want) })
		require.True(t, b.runtime.Has(sb.ID))
		require.NoError(t, b.Delete(t.Context(), sb.ID))
	}
	require.Positive(t, renewed, "the race was never won by a renewal")
	b.nothingLeft()
}
