package lifecycle_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

// coarse is a backend whose list has whole seconds and no start and finish times.
type coarse struct{ *runtimefake.Runtime }

func (c coarse) List(ctx context.Context) ([]lifecycle.Instance, error) {
	list, err := c.Runtime.List(ctx)
	for i := range list {
		list[i].CreatedAt = list[i].CreatedAt.Truncate(time.Second)
		list[i].Seed.CreatedAt = list[i].CreatedAt
		list[i].StartedAt, list[i].FinishedAt = list[i].CreatedAt, time.Time{}
		list[i].Status.Since = list[i].CreatedAt
	}
	return list, err
}

func TestTransitionTimesAfterARestart(t *testing.T) {
	b := newBed(t)
	b.options.Runtime = coarse{b.runtime}
	b.renew()
	b.start()
	runs, ended := b.create(), b.create()
	b.advance(90*time.Second + 123456*time.Microsecond)
	died := b.clock.Now().UTC().Truncate(time.Microsecond)
	require.NoError(t, b.runtime.End(t.Context(), ended.ID, 9))
	b.becomes(ended.ID, lifecycle.Failed)

	b.close(b.Service)
	require.NoError(t, b.runtime.Place(placed("unknown"))) // nobody hears of it
	looks := b.runtime.Count(runtimefake.Inspect)
	b.renew()
	b.start()
	require.LessOrEqual(t, b.runtime.Count(runtimefake.Inspect)-looks, 2, "running sandboxes are looked at one by one")
	for id, want := range map[string]time.Time{runs.ID: runs.CreatedAt, ended.ID: died, "unknown": died} {
		sb, err := b.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, sb.Status.Since, id)
	}
	unknown, err := b.Get(t.Context(), "unknown")
	require.NoError(t, err)
	require.Equal(t, died, unknown.CreatedAt)
}

// What a backend made of the command is what is read later; the answer echoes.
func TestEntrypointAsItRuns(t *testing.T) {
	b := started(t)
	b.runtime.SplitEntrypoint = true
	sb := b.create(func(r *lifecycle.CreateRequest) { r.Entrypoint = []string{"sleep 600"} })
	require.Equal(t, []string{"sleep 600"}, sb.Entrypoint)
	for range 2 {
		got, err := b.Get(t.Context(), sb.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"sleep", "600"}, got.Entrypoint)
		b.restart()
	}
}
