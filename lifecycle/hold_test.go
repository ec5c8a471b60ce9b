package lifecycle_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

// A backend that freezes a sandbox for a snapshot must not cost its connections.
func TestNothingHappensToASandboxThatIsHeld(t *testing.T) {
	b := started(t)
	sb := b.create()
	before := b.entry(sb.ID)
	deleted := make(chan error, 1)
	require.NoError(t, b.Hold(t.Context(), sb.ID, func(ctx context.Context) error {
		if err := b.runtime.Pause(ctx, sb.ID); err != nil {
			return err
		}
		b.eventually(b.runtime.Delivered)
		require.NoError(t, before.Ended())
		require.Equal(t, lifecycle.Running, b.entry(sb.ID).State)
		go deleteHeld(context.WithoutCancel(ctx), b, sb.ID, deleted)
		b.eventually(func() bool { return waitingDeletes() > 0 || len(deleted) > 0 })
		require.Zero(t, b.runtime.Count(runtimefake.Delete))
		return b.runtime.Resume(ctx, sb.ID)
	}))
	require.NoError(t, <-deleted)
	fails(t, b.Hold(t.Context(), sb.ID, nil), 404, "DOCKER::SANDBOX_NOT_FOUND")
}

// deleteHeld has a name by which waitingDeletes finds it.
func deleteHeld(ctx context.Context, b *bed, id string, deleted chan<- error) {
	deleted <- b.Delete(ctx, id)
}

// waitingDeletes counts those that are at the sandbox's lock.
func waitingDeletes() (n int) {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "lifecycle_test.deleteHeld(") && strings.Contains(stack, "(*tracked).acquire(") {
			n++
		}
	}
	return n
}

// Whoever waits for one sandbox takes no place from those who remove others.
func TestDeletesOfAHeldSandboxHoldUpNoOther(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxConcurrent = 2 })
	held, other, due := b.create(timeout(time.Minute)), b.create(), b.create(timeout(time.Minute))
	const deletes = 5
	deleted := make(chan error, deletes)
	require.NoError(t, b.Hold(t.Context(), held.ID, func(ctx context.Context) error {
		for range deletes {
			go deleteHeld(context.WithoutCancel(ctx), b, held.ID, deleted)
		}
		b.eventually(func() bool { return waitingDeletes() == deletes })
		require.NoError(t, b.Delete(ctx, other.ID))
		b.advance(2 * time.Minute) // the held one is due as well, and waits
		b.eventually(func() bool { return !b.runtime.Has(due.ID) })
		require.True(t, b.runtime.Has(held.ID))
		return nil
	}))
	for range deletes {
		if err := <-deleted; err != nil {
			fails(t, err, 404, "DOCKER::SANDBOX_NOT_FOUND") // another was first
		}
	}
	b.nothingLeft()
}

// A deadline that comes while its sandbox is held is met afterwards.
func TestAHeldSandboxExpiresAfterwards(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxConcurrent = 1 })
	held, due := b.create(timeout(time.Minute)), b.create(timeout(2*time.Minute))
	require.NoError(t, b.Hold(t.Context(), held.ID, func(context.Context) error {
		b.advance(3 * time.Minute)
		b.eventually(func() bool { return !b.runtime.Has(due.ID) }, "the held one's turn comes first, and passes")
		require.True(t, b.runtime.Has(held.ID))
		return nil
	}))
	b.eventually(func() bool { return !b.runtime.Has(held.ID) })
	b.nothingLeft()
}

func TestAPausedSandboxCanBeHeldAndAnEndedOneCannot(t *testing.T) {
	b := started(t)
	sb := b.create()
	require.NoError(t, b.Pause(t.Context(), sb.ID))
	held := false
	require.NoError(t, b.Hold(t.Context(), sb.ID, func(context.Context) error { held = true; return nil }))
	require.True(t, held)
	require.NoError(t, b.Resume(t.Context(), sb.ID))
	require.NoError(t, b.runtime.End(t.Context(), sb.ID, 0))
	fails(t, b.Hold(t.Context(), sb.ID, nil), 409, "DOCKER::SANDBOX_NOT_RUNNING")
}

// shelf has one snapshot.
type shelf struct{}

func (shelf) RestoreImage(_ context.Context, id string) (string, error) {
	if id != "snap" {
		return "", apierror.New(http.StatusConflict, "SNAPSHOT::NOT_READY", "wait")
	}
	return "opensandbox-snapshots:snap", nil
}

func TestASandboxIsMadeFromASnapshot(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) {
		o.Snapshots, o.AllowedRegistries = shelf{}, []string{"registry.example.com"}
	})
	made, err := b.Create(t.Context(), lifecycle.CreateRequest{SnapshotID: " snap "})
	require.NoError(t, err, "no registry has it")
	spec, _ := b.runtime.Spec(made.ID)
	require.Equal(t, "opensandbox-snapshots:snap", spec.Image)
	require.Equal(t, "snap", spec.SnapshotID)
	b.restart()
	got, err := b.Get(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, "snap", got.SnapshotID)
	require.Empty(t, got.Image)
	require.Equal(t, []string{"tail", "-f", "/dev/null"}, got.Entrypoint)

	_, err = b.Create(t.Context(), lifecycle.CreateRequest{SnapshotID: "other"})
	fails(t, err, 409, "SNAPSHOT::NOT_READY")
	_, err = b.Create(t.Context(), lifecycle.CreateRequest{Image: "opensandbox-snapshots:snap", Entrypoint: []string{"x"}})
	fails(t, err, 400, "SANDBOX::INVALID_PARAMETER")
}
