package lifecycle_test

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

func (b *bed) becomes(id string, state lifecycle.State) {
	b.t.Helper()
	b.eventually(func() bool {
		sb, err := b.Get(b.t.Context(), id)
		e, ok := b.Directory().Lookup(id)
		return err == nil && sb.Status.State == state && ok && e.State == state
	}, "the sandbox is not seen as %s", state)
}

func TestEventsFromOutside(t *testing.T) {
	b := started(t)
	ended, failed, paused, removed := b.create(), b.create(), b.create(), b.create()
	entries := map[string]*lifecycle.Entry{}
	for _, sb := range []lifecycle.Sandbox{ended, failed, paused, removed} {
		entries[sb.ID] = b.entry(sb.ID)
	}
	require.NoError(t, b.runtime.End(t.Context(), ended.ID, 0))
	require.NoError(t, b.runtime.End(t.Context(), failed.ID, 9))
	require.NoError(t, b.runtime.PauseOutside(paused.ID))
	require.NoError(t, b.runtime.Remove(t.Context(), removed.ID))
	b.becomes(ended.ID, lifecycle.Terminated)
	b.becomes(failed.ID, lifecycle.Failed)
	b.becomes(paused.ID, lifecycle.Paused)
	b.eventually(func() bool { _, err := b.Get(t.Context(), removed.ID); return err != nil })
	for id, e := range entries {
		require.Error(t, e.Ended(), "connections to %s live on", id)
	}
	_, known := b.store.get(removed.ID)
	require.False(t, known, "the record of a sandbox removed outside is kept")
	for _, sb := range []lifecycle.Sandbox{ended, failed, paused} {
		require.NoError(t, b.Delete(t.Context(), sb.ID))
	}
	b.nothingLeft() // leftovers of the removed one included
}

func TestAnotherAddressIsHeardOf(t *testing.T) {
	b := started(t)
	sb, other := b.create(), b.create()
	e, kept := b.entry(sb.ID), b.entry(other.ID)
	moved := netip.MustParseAddr("10.1.2.3")
	require.NoError(t, b.runtime.Reattach(sb.ID, moved))
	b.eventually(func() bool { return b.entry(sb.ID).Address == moved })
	require.Error(t, e.Ended(), "connections to the old address live on")
	require.NoError(t, kept.Ended(), "another sandbox lost its connections")
}

// What is heard of a sandbox while something is done with it is looked up afterwards.
func TestEventsDuringAnOperation(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.store.failing(func(string, lifecycle.Record) error {
		require.NoError(t, b.runtime.End(t.Context(), sb.ID, 0))
		b.eventually(b.runtime.Delivered)
		require.Never(t, func() bool { return b.runtime.Count(runtimefake.Inspect) > 0 }, 20*time.Millisecond, time.Millisecond,
			"looked at under somebody else's lock")
		return nil
	})
	_, err := b.PatchMetadata(t.Context(), sb.ID, map[string]*string{"k": text("v")})
	require.NoError(t, err)
	b.store.failing(nil)
	b.becomes(sb.ID, lifecycle.Terminated)
}

func TestReconcileRepairsLostEvents(t *testing.T) {
	b := started(t)
	ended, paused, removed, kept := b.create(), b.create(), b.create(), b.create()
	b.eventually(b.runtime.Delivered)
	b.runtime.Lose()
	require.NoError(t, b.runtime.End(t.Context(), ended.ID, 0))
	require.NoError(t, b.runtime.PauseOutside(paused.ID))
	require.NoError(t, b.runtime.Remove(t.Context(), removed.ID))
	require.NoError(t, b.runtime.Place(placed("stranger")))
	generation := b.entry(kept.ID).Generation
	inspects := b.runtime.Count(runtimefake.Inspect)

	require.NoError(t, b.Reconcile(t.Context()))
	b.becomes(ended.ID, lifecycle.Terminated)
	b.becomes(paused.ID, lifecycle.Paused)
	b.becomes("stranger", lifecycle.Running)
	_, err := b.Get(t.Context(), removed.ID)
	fails(t, err, 404, notFound)
	require.Equal(t, generation, b.entry(kept.ID).Generation, "an untouched sandbox lost its connections")
	require.LessOrEqual(t, b.runtime.Count(runtimefake.Inspect)-inspects, 4, "one look for each that differs")
	_, known := b.store.get("stranger")
	require.True(t, known)

	lists, looks := b.runtime.Count(runtimefake.List), b.runtime.Count(runtimefake.Inspect)
	require.NoError(t, b.Reconcile(t.Context()))
	require.Equal(t, lists+1, b.runtime.Count(runtimefake.List))
	require.Equal(t, looks, b.runtime.Count(runtimefake.Inspect), "nothing differs, and it was looked at")
}

func TestReconcileRunsPeriodically(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.ReconcileInterval = 10 * time.Millisecond })
	sb := b.create()
	b.runtime.Lose()
	require.NoError(t, b.runtime.Remove(t.Context(), sb.ID))
	b.eventually(func() bool {
		b.advance(10 * time.Millisecond)
		_, err := b.Get(t.Context(), sb.ID)
		return err != nil
	})
}

func TestReconcileRunsAfterReconnect(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.ReconcileInterval = 24 * time.Hour })
	sb := b.create()
	b.runtime.Silence()
	require.NoError(t, b.runtime.Remove(t.Context(), sb.ID))
	b.runtime.Reconnect()
	b.eventually(func() bool {
		// The last list may have been a moment ago. All polls together stay far below the
		// sandbox's own timeout.
		b.advance(100 * time.Millisecond)
		_, err := b.Get(t.Context(), sb.ID)
		return err != nil
	})
}

// A list is as old as the moment the backend made it.
func TestReconcileDoesNotBelieveAStaleList(t *testing.T) {
	b := started(t)
	sb := b.create()
	// After the list was taken, and before it is acted upon: one goes, one comes.
	var came lifecycle.Sandbox
	b.runtime.AfterList(func() {
		b.runtime.AfterList(nil)
		require.NoError(t, b.Delete(t.Context(), sb.ID))
		came = b.create()
	})
	require.NoError(t, b.Reconcile(t.Context()))
	_, err := b.Get(t.Context(), sb.ID)
	fails(t, err, 404, notFound)
	_, known := b.store.get(sb.ID)
	require.False(t, known, "a deleted sandbox came back from a stale list")
	require.True(t, b.runtime.Has(came.ID), "a new sandbox was removed because a stale list lacks it")
	require.NoError(t, b.entry(came.ID).Ended())
}

func TestReconcileLeavesCreatesAlone(t *testing.T) {
	b := started(t)
	for _, step := range []runtimefake.Verb{runtimefake.Create, runtimefake.Start} {
		reached, proceed := b.hold(step)
		result := make(chan error, 1)
		go func() {
			_, err := b.Create(t.Context(), request())
			result <- err
		}()
		<-reached
		require.NoError(t, b.Reconcile(t.Context()))
		require.NoError(t, b.Reconcile(t.Context()))
		close(proceed)
		require.NoError(t, <-result, "reconcile during %s", step)
	}
	require.Zero(t, b.runtime.Count(runtimefake.Delete))
}

func TestReconcileWithoutABackendChangesNothing(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.runtime.SetHook(func(context.Context, runtimefake.Verb, string) error { return errors.New("down") })
	require.Error(t, b.Reconcile(t.Context()))
	require.NoError(t, b.entry(sb.ID).Ended())
	require.False(t, b.Ready().Ready)
	require.NotEqual(t, "ok", b.Ready().Components["runtime"])
	b.runtime.SetHook(nil)
	require.NoError(t, b.Reconcile(t.Context()))
	require.True(t, b.Ready().Ready)
}

func TestConfirm(t *testing.T) {
	b := started(t)
	sb := b.create()
	e := b.entry(sb.ID)
	looks := func() int { return b.runtime.Count(runtimefake.Inspect) }

	require.NoError(t, b.Confirm(t.Context(), e))
	require.Zero(t, looks(), "the stream is healthy")

	b.runtime.Silence()
	b.eventually(func() bool { _, up := b.Directory().EventAge(); return !up })
	b.clock.step(2 * time.Second)
	require.NoError(t, b.Confirm(t.Context(), e))
	require.Zero(t, looks(), "the stream is down for two seconds only")

	b.clock.step(time.Millisecond)
	require.NoError(t, b.Confirm(t.Context(), e))
	require.Equal(t, 1, looks())

	t.Run("one look for all", func(t *testing.T) {
		before, release := looks(), make(chan struct{})
		b.runtime.SetHook(func(context.Context, runtimefake.Verb, string) error { <-release; return nil })
		errs := make(chan error, 50)
		var asking atomic.Int64
		for range cap(errs) {
			go func() { asking.Add(1); errs <- b.Confirm(t.Context(), e) }()
		}
		b.eventually(func() bool { return looks() == before+1 && asking.Load() == int64(cap(errs)) })
		require.Never(t, func() bool { return looks() > before+1 }, 20*time.Millisecond, time.Millisecond)
		left, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, b.Confirm(left, e), context.Canceled, "a caller that left waits for the backend")
		close(release)
		for range cap(errs) {
			require.NoError(t, <-errs)
		}
		b.runtime.SetHook(nil)
	})
	t.Run("backend down", func(t *testing.T) {
		b.runtime.SetHook(func(context.Context, runtimefake.Verb, string) error { return errors.New("down") })
		fails(t, b.Confirm(t.Context(), e), 503, "DOCKER::SANDBOX_QUERY_FAILED")
		require.NoError(t, e.Ended())
		b.runtime.SetHook(nil)
	})
	t.Run("address moved", func(t *testing.T) {
		require.NoError(t, b.runtime.Move(sb.ID, netip.MustParseAddr("10.1.2.3")))
		require.ErrorIs(t, b.Confirm(t.Context(), e), lifecycle.ErrStale)
		require.Error(t, e.Ended(), "connections to the old address live on")
		b.eventually(func() bool { return b.entry(sb.ID).State == lifecycle.Running })
		now := b.entry(sb.ID)
		require.Equal(t, netip.MustParseAddr("10.1.2.3"), now.Address)
		require.NoError(t, b.Confirm(t.Context(), now))
		require.ErrorIs(t, b.Confirm(t.Context(), e), lifecycle.ErrStale)
	})
	t.Run("gone", func(t *testing.T) {
		now := b.entry(sb.ID)
		require.NoError(t, b.runtime.Remove(t.Context(), sb.ID))
		require.ErrorIs(t, b.Confirm(t.Context(), now), lifecycle.ErrStale)
		require.Error(t, now.Ended())
		b.nothingLeft()
	})
	t.Run("healthy again", func(t *testing.T) {
		b.runtime.Reconnect()
		b.eventually(func() bool { _, up := b.Directory().EventAge(); return up })
		fresh := b.create()
		before := looks()
		require.NoError(t, b.Confirm(t.Context(), b.entry(fresh.ID)))
		require.Equal(t, before, looks())
	})
}

// An address changes hands while looks, events and pauses are under way: whatever the
// order, no entry that may be dialled keeps an address its sandbox has lost.
func TestNoEntryOutlivesItsAddress(t *testing.T) {
	b := started(t)
	for range 50 {
		sb := b.create()
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.Pause(t.Context(), sb.ID); _ = b.Resume(t.Context(), sb.ID) })
		wg.Go(func() { _ = b.Reconcile(t.Context()) })
		wg.Go(func() { _ = b.runtime.End(t.Context(), sb.ID, 0) })
		wg.Wait()
		b.becomes(sb.ID, lifecycle.Terminated)
		require.NoError(t, b.Delete(t.Context(), sb.ID))
	}
	b.nothingLeft()
}
