package runtimetest

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func testCreate(t *testing.T, b *bench) {
	before := time.Now().Add(-time.Minute)
	spec := b.Spec(b.id())
	inst, err := b.Runtime.Create(b.ctx, spec)
	require.NoError(t, err)

	require.Equal(t, spec.ID, inst.ID)
	require.NotEmpty(t, inst.BackendID)
	require.Equal(t, lifecycle.Running, inst.Status.State)
	require.NotEmpty(t, inst.Status.Reason)
	require.True(t, inst.StartedAt.After(before), "started at %s", inst.StartedAt)
	require.True(t, inst.CreatedAt.After(before), "created at %s", inst.CreatedAt)
	require.True(t, inst.Address.IsValid() || len(inst.Published) > 0, "no address to dial")

	again, err := b.Runtime.Inspect(b.ctx, spec.ID)
	require.NoError(t, err)
	same(t, inst, again)

	require.NoError(t, b.Runtime.Delete(b.ctx, spec.ID))
	b.gone(spec.ID)
}

// same compares what identifies a sandbox and where it is reached.
func same(t *testing.T, want, got lifecycle.Instance) {
	t.Helper()
	require.Equal(t, want.ID, got.ID)
	require.Equal(t, want.BackendID, got.BackendID)
	require.Equal(t, want.Status.State, got.Status.State)
	require.Equal(t, want.Address, got.Address)
	require.Equal(t, len(want.Published), len(got.Published))
	for port, addr := range want.Published {
		require.Equal(t, addr, got.Published[port])
	}
}

func testList(t *testing.T, b *bench) {
	one, two := b.create(), b.create()
	for _, inst := range []lifecycle.Instance{one, two} {
		listed, ok := b.listed(inst.ID)
		require.True(t, ok)
		same(t, inst, listed)
	}
	require.NoError(t, b.Runtime.Delete(b.ctx, one.ID))
	b.gone(one.ID)
	_, ok := b.listed(two.ID)
	require.True(t, ok, "deleting one sandbox took another one away")
}

func testSeed(t *testing.T, b *bench) {
	spec := b.Spec(b.id())
	spec.Metadata = map[string]string{"team": "ml", "example.com/run": "7", "empty": ""}
	spec.Timeout = 2 * time.Hour
	spec.RenewValue = "600"
	spec.RenewMax, spec.IdleTimeout = 2*time.Hour, 90*time.Second
	spec.ExecdTokenSHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	spec.SecureAccess = true
	begin := time.Now()
	_, err := b.Runtime.Create(b.ctx, spec)
	require.NoError(t, err)

	inspected, err := b.Runtime.Inspect(b.ctx, spec.ID)
	require.NoError(t, err)
	listed, ok := b.listed(spec.ID)
	require.True(t, ok)
	for name, seed := range map[string]lifecycle.Record{"inspect": inspected.Seed, "list": listed.Seed} {
		require.Equal(t, spec.Metadata, seed.Metadata, name)
		require.Equal(t, 10*time.Minute, seed.RenewExtend, name)
		require.Equal(t, 2*time.Hour, seed.RenewMax, name)
		require.Equal(t, 90*time.Second, seed.IdleTimeout, name)
		require.WithinDuration(t, begin.Add(2*time.Hour), seed.ExpiresAt, 5*time.Minute, name)
		require.True(t, seed.ExecdToken, name)
		require.True(t, seed.SecureAccess, name)
	}
}

func testManualCleanup(t *testing.T, b *bench) {
	spec := b.Spec(b.id())
	spec.Timeout = 0
	_, err := b.Runtime.Create(b.ctx, spec)
	require.NoError(t, err)
	listed, ok := b.listed(spec.ID)
	require.True(t, ok)
	require.True(t, listed.Seed.ExpiresAt.IsZero(), "a sandbox without timeout is seeded to expire at %s", listed.Seed.ExpiresAt)
	require.Zero(t, listed.Seed.RenewExtend)
	require.Empty(t, listed.Seed.Metadata, "labels nobody asked for are shown as metadata")
}

func testCreateRefused(t *testing.T, b *bench) {
	id := b.id()
	_, err := b.Runtime.Create(b.ctx, b.BadSpec(id))
	require.Error(t, err)
	require.NotErrorIs(t, err, lifecycle.ErrNotFound, "an unknown image is not an unknown sandbox")
	require.NoError(t, b.Runtime.Delete(b.ctx, id))
	b.gone(id)
}

func testCreateCancelled(t *testing.T, b *bench) {
	// From "before anything was done" to "in the middle of it".
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 120 * time.Millisecond} {
		id := b.id()
		ctx, cancel := context.WithTimeout(b.ctx, after)
		_, err := b.Runtime.Create(ctx, b.Spec(id))
		if after == 0 {
			require.Error(t, err, "create ignores its context")
		}
		cancel()
		require.NoError(t, b.Runtime.Delete(b.ctx, id))
		b.gone(id)
	}
}

func testConcurrentCreates(t *testing.T, b *bench) {
	const n = 5
	made := make([]lifecycle.Instance, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		id := b.id()
		wg.Go(func() { made[i], errs[i] = b.Runtime.Create(b.ctx, b.Spec(id)) })
	}
	wg.Wait()
	backends := map[string]bool{}
	addresses := map[netip.Addr]bool{}
	for i := range n {
		require.NoError(t, errs[i])
		backends[made[i].BackendID] = true
		if made[i].Address.IsValid() && !made[i].Address.IsLoopback() {
			require.False(t, addresses[made[i].Address], "two sandboxes have the address %s", made[i].Address)
			addresses[made[i].Address] = true
		}
	}
	require.Len(t, backends, n)
}
