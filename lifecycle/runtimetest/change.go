package runtimetest

import (
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func testDeleteRepeatedly(t *testing.T, b *bench) {
	inst := b.create()
	for range 3 {
		require.NoError(t, b.Runtime.Delete(b.ctx, inst.ID))
		b.gone(inst.ID)
	}
}

func testDeleteConcurrently(t *testing.T, b *bench) {
	inst := b.create()
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = b.Runtime.Delete(b.ctx, inst.ID) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	b.gone(inst.ID)
}

func testDeleteAnyState(t *testing.T, b *bench) {
	paused := b.create()
	require.NoError(t, b.Runtime.Pause(b.ctx, paused.ID))
	ended := b.create()
	require.NoError(t, b.End(b.ctx, ended.ID, 1))
	b.eventually(ended.ID, lifecycle.Failed)

	for _, inst := range []lifecycle.Instance{paused, ended} {
		require.NoError(t, b.Runtime.Delete(b.ctx, inst.ID))
		b.gone(inst.ID)
	}
}

func testDeleteLeftovers(t *testing.T, b *bench) {
	inst := b.create()
	require.NoError(t, b.Remove(b.ctx, inst.ID))
	b.gone(inst.ID)
	require.NoError(t, b.Runtime.Delete(b.ctx, inst.ID), "what is left cannot be deleted")
	require.NoError(t, b.Runtime.Delete(b.ctx, uuid.NewString()), "an id nobody ever saw")
}

func testPauseResume(t *testing.T, b *bench) {
	inst := b.create()
	require.NoError(t, b.Runtime.Pause(b.ctx, inst.ID))
	paused, err := b.Runtime.Inspect(b.ctx, inst.ID)
	require.NoError(t, err)
	require.Equal(t, lifecycle.Paused, paused.Status.State)
	require.Equal(t, inst.BackendID, paused.BackendID)
	listed, ok := b.listed(inst.ID)
	require.True(t, ok)
	require.Equal(t, lifecycle.Paused, listed.Status.State)
	require.Error(t, b.Runtime.Pause(b.ctx, inst.ID), "a paused sandbox cannot be paused")

	require.NoError(t, b.Runtime.Resume(b.ctx, inst.ID))
	resumed, err := b.Runtime.Inspect(b.ctx, inst.ID)
	require.NoError(t, err)
	same(t, inst, resumed)
	require.Error(t, b.Runtime.Resume(b.ctx, inst.ID), "a running sandbox cannot be resumed")
}

func testEnd(t *testing.T, b *bench) {
	for code, state := range map[int]lifecycle.State{0: lifecycle.Terminated, 3: lifecycle.Failed} {
		inst := b.create()
		require.NoError(t, b.End(b.ctx, inst.ID, code))
		ended := b.eventually(inst.ID, state)
		require.Equal(t, inst.BackendID, ended.BackendID)
		require.False(t, ended.FinishedAt.IsZero())
		listed, ok := b.listed(inst.ID)
		require.True(t, ok, "an ended sandbox stays listed until it is deleted")
		require.Equal(t, state, listed.Status.State)
		require.Error(t, b.Runtime.Pause(b.ctx, inst.ID))
		require.Error(t, b.Runtime.Resume(b.ctx, inst.ID), "resume does not start what has ended")
	}
}

func testUnknown(t *testing.T, b *bench) {
	id := uuid.NewString()
	_, err := b.Runtime.Inspect(b.ctx, id)
	require.ErrorIs(t, err, lifecycle.ErrNotFound)
	require.ErrorIs(t, b.Runtime.Pause(b.ctx, id), lifecycle.ErrNotFound)
	require.ErrorIs(t, b.Runtime.Resume(b.ctx, id), lifecycle.ErrNotFound)
	require.NotEmpty(t, b.Runtime.Name())
}
