package lifecycle_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

func TestPauseAndResume(t *testing.T) {
	b := started(t)
	sb := b.create()
	fails(t, b.Resume(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_PAUSED")

	running := b.entry(sb.ID)
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Pause && running.Ended() == nil {
			t.Error("the sandbox is frozen while connections to it are open")
		}
		return nil
	})
	require.NoError(t, b.Pause(t.Context(), sb.ID))
	shown, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, lifecycle.Paused, shown.Status.State)
	require.Equal(t, "CONTAINER_PAUSED", shown.Status.Reason)
	require.ErrorIs(t, running.Ended(), lifecycle.ErrNotRunning, "streams to a frozen sandbox hang")
	e := b.entry(sb.ID)
	require.Equal(t, lifecycle.Paused, e.State)
	_, ok := e.Dial(80)
	require.False(t, ok)
	fails(t, b.Pause(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_RUNNING")

	require.NoError(t, b.Resume(t.Context(), sb.ID))
	e = b.entry(sb.ID)
	require.Equal(t, lifecycle.Running, e.State)
	require.Greater(t, e.Generation, running.Generation)
	require.NoError(t, e.Ended())
	require.Same(t, running.LastTouch, e.LastTouch)

	require.NoError(t, b.runtime.End(t.Context(), sb.ID, 0))
	fails(t, b.Pause(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_RUNNING")
	fails(t, b.Resume(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_PAUSED")
}

func TestPauseThatFails(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Pause {
			return errors.New("no freezer cgroup")
		}
		return nil
	})
	fails(t, b.Pause(t.Context(), sb.ID), 500, "DOCKER::SANDBOX_PAUSE_FAILED")
	require.Equal(t, lifecycle.Running, b.entry(sb.ID).State, "the sandbox runs on and is not routed to")

	require.NoError(t, b.runtime.Remove(t.Context(), sb.ID))
	fails(t, b.Pause(t.Context(), sb.ID), 404, notFound)
	b.nothingLeft()
}

// Requests wait for a sandbox that is on its way back, so the directory has to say that
// it is, and what became of it.
func TestAResumeIsShownWhileItGoesOn(t *testing.T) {
	for name, failure := range map[string]error{"works": nil, "fails": errors.New("no freezer cgroup")} {
		t.Run(name, func(t *testing.T) {
			b := started(t)
			sb := b.create()
			require.NoError(t, b.Pause(t.Context(), sb.ID))
			var during lifecycle.Entry
			b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
				if verb != runtimefake.Resume {
					return nil
				}
				during = *b.entry(sb.ID)
				return failure
			})
			err := b.Resume(t.Context(), sb.ID)
			require.Equal(t, lifecycle.Resuming, during.State)
			require.Error(t, during.Ended())
			if failure == nil {
				require.NoError(t, err)
				require.Equal(t, lifecycle.Running, b.entry(sb.ID).State)
			} else {
				require.Error(t, err)
				require.Equal(t, lifecycle.Paused, b.entry(sb.ID).State)
			}
		})
	}
}
