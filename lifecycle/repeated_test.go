package lifecycle_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/store"
)

func keyed(r *lifecycle.CreateRequest) {
	r.Client, r.IdempotencyKey, r.Content = "main", "8d8c", [32]byte{1}
}

func TestARepeatedCreateGivesTheSameSandbox(t *testing.T) {
	b := started(t)
	const n = 20
	ids := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			sb, err := b.Create(t.Context(), request(keyed))
			if err != nil {
				t.Error(err)
			}
			ids[i] = sb.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.Equal(t, 1, b.runtime.Count(runtimefake.Create))

	other := b.create(keyed, func(r *lifecycle.CreateRequest) { r.Client = "somebody else" })
	require.NotEqual(t, ids[0], other.ID, "a key is its client's own")
	other = b.create(keyed, func(r *lifecycle.CreateRequest) { r.IdempotencyKey = "another" })
	require.NotEqual(t, ids[0], other.ID)
}

func TestAKeyWithAnotherBodyIsRefused(t *testing.T) {
	b := started(t)
	b.create(keyed)
	_, err := b.Create(t.Context(), request(keyed, func(r *lifecycle.CreateRequest) { r.Content = [32]byte{2} }))
	fails(t, err, 409, "SANDBOX::IDEMPOTENCY_KEY_REUSED")
}

func TestARepeatedCreateNeverMakesASecondSandbox(t *testing.T) {
	b := started(t)
	sb := b.create(keyed)
	require.NoError(t, b.Delete(t.Context(), sb.ID))
	_, err := b.Create(t.Context(), request(keyed))
	require.Contains(t, fails(t, err, 409, "SANDBOX::IDEMPOTENCY_KEY_USED").Message, sb.ID)
	require.True(t, b.runtime.Empty())
}

func TestACreateThatFailedCanBeRepeated(t *testing.T) {
	b := started(t)
	_, err := b.Create(t.Context(), request(keyed, func(r *lifecycle.CreateRequest) { r.Image = runtimefake.RefusedImage }))
	fails(t, err, 500, "DOCKER::SANDBOX_IMAGE_PULL_FAILED")
	_, err = b.Create(t.Context(), request(keyed, func(r *lifecycle.CreateRequest) { r.Timeout = -1 }))
	fails(t, err, 400, "SANDBOX::INVALID_PARAMETER")
	b.create(keyed)
}

// A client whose connection broke comes again while its first request is cleaned up.
func TestARepetitionTakesOverWhenTheFirstClientLeaves(t *testing.T) {
	b := started(t)
	b.prober.set(func(ctx context.Context, _ netip.AddrPort) error { <-ctx.Done(); return ctx.Err() })
	first, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := b.Create(first, request(keyed))
		if err == nil {
			t.Error("the first create ended well")
		}
	})
	b.eventually(func() bool { return b.runtime.Count(runtimefake.Start) == 1 })
	wg.Go(func() {
		sb, err := b.Create(t.Context(), request(keyed))
		if err != nil || sb.Status.State != lifecycle.Running {
			t.Errorf("%v, %v", sb, err)
		}
	})
	b.prober.set(nil)
	leave()
	wg.Wait()
	list, err := b.List(t.Context(), lifecycle.Filter{}, lifecycle.Page{Number: 1, Size: 10})
	require.NoError(t, err)
	require.Equal(t, 1, list.Total)
}

func TestARepeatedPromiseShowsHowItIsNow(t *testing.T) {
	b := started(t, keepFailures)
	reached, proceed := b.hold(runtimefake.Create)
	first, err := b.Create(t.Context(), request(keyed, async))
	require.NoError(t, err)
	<-reached
	again, err := b.Create(t.Context(), request(keyed)) // it does not wait for it
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, lifecycle.Pending, again.Status.State)
	close(proceed)
	b.reaches(first.ID, lifecycle.Running)
	again, err = b.Create(t.Context(), request(keyed, async))
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, lifecycle.Running, again.Status.State)
}

func TestKeysSurviveARestart(t *testing.T) {
	b := newBed(t)
	path := filepath.Join(t.TempDir(), "edge.db")
	reopen := func() {
		db, err := store.Open(t.Context(), path)
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		b.options.Store, b.options.Keys = db, db
		b.renew()
		b.start()
	}
	reopen()
	sb := b.create(keyed)
	b.close(b.Service)
	require.NoError(t, b.options.Store.Close())
	reopen()
	require.Equal(t, sb.ID, b.create(keyed).ID)
	require.NoError(t, b.Delete(t.Context(), sb.ID))
	b.close(b.Service)
	require.NoError(t, b.options.Store.Close())
	reopen()
	_, err := b.Create(t.Context(), request(keyed))
	fails(t, err, 409, "SANDBOX::IDEMPOTENCY_KEY_USED")
}
