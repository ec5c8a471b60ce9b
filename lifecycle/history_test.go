package lifecycle_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

// reasons are those of a sandbox's history, oldest first.
func (b *bed) reasons(id string) []string {
	b.t.Helper()
	h, err := b.History(id)
	require.NoError(b.t, err)
	var reasons []string
	for _, o := range h.Occurrences {
		reasons = append(reasons, o.Reason)
	}
	return reasons
}

func TestHistoryTellsALife(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.clock.advance(time.Minute)
	require.NoError(t, b.Pause(t.Context(), sb.ID))
	require.NoError(t, b.Resume(t.Context(), sb.ID))
	_, err := b.PatchMetadata(t.Context(), sb.ID, map[string]*string{"team": nil})
	require.NoError(t, err)
	_, err = b.PatchMetadata(t.Context(), sb.ID, map[string]*string{"team": nil})
	require.NoError(t, err, "changes nothing")
	for range 2 {
		_, err = b.Renew(t.Context(), sb.ID, b.clock.Now().Add(3*time.Hour))
		require.NoError(t, err)
		b.clock.advance(time.Second)
	}
	require.NoError(t, b.runtime.End(t.Context(), sb.ID, 3))
	b.eventually(func() bool { return slices.Contains(b.reasons(sb.ID), "Failed") })

	require.Equal(t, []string{"Creating", "Created", "Paused", "Running", "MetadataChanged", "Renewed", "Failed"}, b.reasons(sb.ID))
	h, err := b.History(sb.ID)
	require.NoError(t, err)
	require.True(t, h.Complete)
	require.Equal(t, 2, h.Occurrences[5].Times, "the same thing in a row is one occurrence")
	require.True(t, h.Occurrences[6].Warning)
	require.False(t, h.Occurrences[1].Warning)
	require.Equal(t, time.Minute, h.Occurrences[2].At.Sub(h.Occurrences[1].At))
	for _, o := range h.Occurrences {
		require.NotEmpty(t, o.Message, o.Reason)
	}

	require.NoError(t, b.Delete(t.Context(), sb.ID))
	_, err = b.History(sb.ID)
	fails(t, err, 404, "DOCKER::SANDBOX_NOT_FOUND")
}

func TestHistoryIsBounded(t *testing.T) {
	b := started(t)
	sb := b.create()
	for range 40 {
		require.NoError(t, b.Pause(t.Context(), sb.ID))
		require.NoError(t, b.Resume(t.Context(), sb.ID))
	}
	h, err := b.History(sb.ID)
	require.NoError(t, err)
	require.Len(t, h.Occurrences, 32)
	require.False(t, h.Complete)
	require.Equal(t, "Running", h.Occurrences[31].Reason, "the newest is kept")
}

func TestHistoryBeginsWithTheProcess(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.restart()
	h, err := b.History(sb.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"Restored"}, b.reasons(sb.ID))
	require.False(t, h.Complete)

	require.NoError(t, b.store.Delete(t.Context(), sb.ID))
	b.restart()
	require.Equal(t, []string{"Adopted"}, b.reasons(sb.ID))
}

func TestHistoryOfASandboxThatCannotBeRemoved(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.runtime.SetHook(func(_ context.Context, v runtimefake.Verb, _ string) error {
		if v == runtimefake.Delete {
			return errors.New("the disk is on fire")
		}
		return nil
	})
	require.Error(t, b.Delete(t.Context(), sb.ID))
	h, err := b.History(sb.ID)
	require.NoError(t, err)
	last := h.Occurrences[len(h.Occurrences)-1]
	require.Equal(t, "DeleteFailed", last.Reason)
	require.True(t, last.Warning)
	require.NotContains(t, last.Message, "fire", "causes go to the log")
	b.runtime.SetHook(nil)
}

func TestHistoryOfASandboxThatCouldNotBeMade(t *testing.T) {
	b := started(t, keepFailures)
	sb, err := b.Create(t.Context(), request(async, func(r *lifecycle.CreateRequest) { r.Image = runtimefake.RefusedImage }))
	require.NoError(t, err)
	b.reaches(sb.ID, lifecycle.Failed)
	require.Equal(t, []string{"Creating", "Failed"}, b.reasons(sb.ID))
	h, err := b.History(sb.ID)
	require.NoError(t, err)
	require.True(t, h.Complete)
	require.True(t, h.Occurrences[1].Warning)
	require.Contains(t, h.Occurrences[1].Message, "image")
}
