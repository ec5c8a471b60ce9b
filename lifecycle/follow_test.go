package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestAwaitReturnsOnEveryKindOfChange(t *testing.T) {
	var d lifecycle.Directory
	paused := running("a", "10.0.0.1")
	paused.State = lifecycle.Paused
	for name, change := range map[string]func(){
		"published": func() { publish(t, &d, paused) },
		"removed":   func() { d.Remove("a", lifecycle.ErrGone) },
		"cut":       func() { d.CutForTest("a") },
	} {
		t.Run(name, func(t *testing.T) {
			seen := publish(t, &d, running("a", "10.0.0.1"))
			over := make(chan error, 3)
			for range cap(over) {
				go func() { over <- d.Await(t.Context(), "a", seen) }()
			}
			require.Eventually(t, func() bool { return d.WaitingForTest("a") == cap(over) }, patience, time.Millisecond)
			publish(t, &d, running("b", "10.0.0.2"))
			require.Empty(t, over, "another sandbox's change ends no wait")
			change()
			for range cap(over) {
				require.NoError(t, <-over)
			}
		})
	}
}

func TestAwaitDoesNotMissAChangeBeforeItBegan(t *testing.T) {
	var d lifecycle.Directory
	seen := publish(t, &d, running("a", "10.0.0.1"))
	publish(t, &d, running("a", "10.0.0.1"))
	require.NoError(t, d.Await(t.Context(), "a", seen))
	require.NoError(t, d.Await(t.Context(), "a", nil), "nil stands for none, and there is one")
}

func TestAwaitEndsWithItsContextAndLeavesNothing(t *testing.T) {
	var d lifecycle.Directory
	seen := publish(t, &d, running("a", "10.0.0.1"))
	cause := errors.New("the client left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	require.ErrorIs(t, d.Await(ctx, "a", seen), cause)
	require.ErrorIs(t, d.Await(ctx, "unheard-of", nil), cause)
	require.Zero(t, d.WaitingForTest("a"))
	require.Zero(t, d.WaitingForTest("unheard-of"))
}

func TestFollowerHearsEveryChangeOfAnIDAsOne(t *testing.T) {
	var d lifecycle.Directory
	publish(t, &d, running("before", "10.0.0.9"))
	f := d.Follow()
	defer f.Close()
	ids, resync, err := f.Next(t.Context())
	require.NoError(t, err)
	require.True(t, resync, "the first look is at everything")
	require.Empty(t, ids)

	publish(t, &d, running("a", "10.0.0.1"))
	publish(t, &d, running("a", "10.0.0.2"))
	publish(t, &d, running("b", "10.0.0.3"))
	d.Remove("b", lifecycle.ErrGone)
	d.CutForTest("before")
	ids, resync, err = f.Next(t.Context())
	require.NoError(t, err)
	require.False(t, resync)
	require.ElementsMatch(t, []string{"a", "b", "before"}, ids)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = f.Next(ctx)
	require.ErrorIs(t, err, context.Canceled, "nothing has changed since")
	f.Close()
	publish(t, &d, running("a", "10.0.0.4"))
	_, _, err = f.Next(ctx)
	require.ErrorIs(t, err, context.Canceled, "a closed follower hears nothing")
}

func TestFollowerThatFallsBehindLooksAtEverything(t *testing.T) {
	var d lifecycle.Directory
	f := d.FollowForTest(3)
	defer f.Close()
	_, _, err := f.Next(t.Context())
	require.NoError(t, err)
	for i := range 4 {
		publish(t, &d, running(fmt.Sprint("s", i), "10.0.0.1"))
	}
	ids, resync, err := f.Next(t.Context())
	require.NoError(t, err)
	require.True(t, resync)
	require.Empty(t, ids)
	publish(t, &d, running("s9", "10.0.0.1"))
	ids, resync, err = f.Next(t.Context())
	require.NoError(t, err)
	require.False(t, resync)
	require.Equal(t, []string{"s9"}, ids)
}

// A copy kept by following is the directory, whatever the writers do in between.
func TestFollowersCopyConverges(t *testing.T) {
	var d lifecycle.Directory
	f := d.FollowForTest(8)
	defer f.Close()
	var mu sync.Mutex
	copied := map[string]uint64{}
	take := func(ids []string, resync bool) {
		mu.Lock()
		defer mu.Unlock()
		if resync {
			clear(copied)
			for e := range d.Range {
				copied[e.ID] = e.Generation
			}
		}
		for _, id := range ids {
			if e, ok := d.Lookup(id); ok {
				copied[id] = e.Generation
			} else {
				delete(copied, id)
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var reader, writers sync.WaitGroup
	defer reader.Wait()
	defer stop()
	reader.Go(func() {
		for {
			ids, resync, err := f.Next(ctx)
			if err != nil {
				return
			}
			take(ids, resync)
		}
	})
	for w := range 4 {
		writers.Go(func() {
			for i := range 300 {
				id := fmt.Sprint("s", i%20)
				if w == 0 {
					d.Remove(id, lifecycle.ErrGone)
				} else if _, err := d.Publish(running(id, fmt.Sprintf("10.0.%d.%d", w, i%250+1))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	want := map[string]uint64{}
	for e := range d.Range {
		want[e.ID] = e.Generation
	}
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return maps.Equal(want, copied)
	}, patience, time.Millisecond)
}
