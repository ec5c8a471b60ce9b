package lifecycle_test

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

func TestCreatesAreBounded(t *testing.T) {
	const n, atOnce = 500, 7
	b := started(t, func(o *lifecycle.Options) { o.MaxConcurrent, o.MaxPendingCreates = atOnce, n })
	var arrived atomic.Int64
	full := make(chan struct{})
	b.runtime.SetHook(func(ctx context.Context, verb runtimefake.Verb, _ string) error {
		if verb != runtimefake.Start {
			return nil
		}
		if arrived.Add(1) == atOnce {
			close(full)
		}
		select { // until as many as may are at work
		case <-full:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { _, errs[i] = b.Create(t.Context(), request()) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, atOnce, b.runtime.MostCreates())
	require.Equal(t, n, b.Directory().Len())
}

func TestTooManyPendingCreates(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxPendingCreates = 2 })
	release := make(chan struct{})
	b.prober.set(func(ctx context.Context, _ netip.AddrPort) error { <-release; return nil })
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { _, _ = b.Create(t.Context(), request()) })
	}
	b.eventually(func() bool { return b.runtime.Count(runtimefake.Start) == 2 })
	_, err := b.Create(t.Context(), request())
	require.Equal(t, 1, fails(t, err, 429, "SANDBOX::TOO_MANY_SANDBOXES").RetryAfter)
	wg.Go(func() {
		_, err := b.Create(t.Context(), request(func(r *lifecycle.CreateRequest) { r.Client = "another key" }))
		if err != nil {
			t.Errorf("one client's creates keep another's out: %v", err)
		}
	})
	b.eventually(func() bool { return b.runtime.Count(runtimefake.Start) == 3 })
	close(release)
	wg.Wait()
	b.create()
}

func TestTooManySandboxes(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxSandboxes = 2 })
	b.create()
	second := b.create()
	_, err := b.Create(t.Context(), request())
	require.Positive(t, fails(t, err, 429, "SANDBOX::TOO_MANY_SANDBOXES").RetryAfter)
	require.NoError(t, b.Delete(t.Context(), second.ID))
	b.create()
}

func TestCreateNeverDialsTheServerItself(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "169.254.169.254", "::1", "0.0.0.0"} {
		b := started(t, func(o *lifecycle.Options) { o.ReadyTimeout = 20 * time.Millisecond })
		b.runtime.Address = netip.MustParseAddr(addr)
		b.prober.set(func(context.Context, netip.AddrPort) error { t.Errorf("%s was dialled", addr); return nil })
		_, err := b.Create(t.Context(), request())
		fails(t, err, 500, "DOCKER::SANDBOX_START_FAILED")
		b.nothingLeft()
	}
}
