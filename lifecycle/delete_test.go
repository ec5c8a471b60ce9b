package lifecycle_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

const notFound = "DOCKER::SANDBOX_NOT_FOUND"

func TestUnknownIDs(t *testing.T) {
	b := started(t)
	for _, id := range []string{"", "nobody", "..", "sandboxes", "a/b", "\x00"} {
		_, err := b.Get(t.Context(), id)
		fails(t, err, 404, notFound)
		fails(t, b.Delete(t.Context(), id), 404, notFound)
		fails(t, b.Pause(t.Context(), id), 404, notFound)
		fails(t, b.Resume(t.Context(), id), 404, notFound)
		_, err = b.Renew(t.Context(), id, time.Time{})
		fails(t, err, 404, notFound)
		_, err = b.ExtendOnAccess(t.Context(), id, accessed)
		fails(t, err, 404, notFound)
		_, err = b.PatchMetadata(t.Context(), id, map[string]*string{"opensandbox.io/x": nil})
		fails(t, err, 404, notFound)
	}
	require.Zero(t, b.runtime.Count(runtimefake.Inspect), "an unknown id reached the backend")
}

func TestDelete(t *testing.T) {
	b := started(t)
	for name, prepare := range map[string]func(id string){
		"running": func(string) {},
		"paused":  func(id string) { require.NoError(t, b.Pause(t.Context(), id)) },
		"ended":   func(id string) { require.NoError(t, b.runtime.End(t.Context(), id, 1)) },
		"removed": func(id string) {
			b.runtime.Lose()
			require.NoError(t, b.runtime.Remove(t.Context(), id))
			b.runtime.Reconnect()
		},
	} {
		sb := b.create()
		e := b.entry(sb.ID)
		prepare(sb.ID)
		require.NoError(t, b.Delete(t.Context(), sb.ID), name)
		require.Error(t, e.Ended(), name)
		fails(t, b.Delete(t.Context(), sb.ID), 404, notFound)
		b.nothingLeft()
	}
}

func TestDeleteConcurrently(t *testing.T) {
	b := started(t)
	for range 20 {
		sb := b.create(timeout(time.Minute))
		b.advance(time.Minute - time.Microsecond)
		errs := make([]error, 6)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = b.Delete(t.Context(), sb.ID) })
		}
		wg.Go(func() { b.advance(time.Microsecond) }) // and it expires
		wg.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
				continue
			}
			fails(t, err, 404, notFound)
		}
		require.LessOrEqual(t, done, 1)
		b.nothingLeft()
	}
}

func TestDeleteThatFailsIsTriedAgain(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Delete {
			return errors.New("secret detail of the engine")
		}
		return nil
	})
	e := fails(t, b.Delete(t.Context(), sb.ID), 500, "DOCKER::SANDBOX_DELETE_FAILED")
	require.NotContains(t, e.Message, "secret")
	record, _ := b.store.get(sb.ID)
	require.Equal(t, lifecycle.Deleting, record.Phase, "a restart would not finish it")
	fails(t, b.Delete(t.Context(), sb.ID), 500, "DOCKER::SANDBOX_DELETE_FAILED")
	b.runtime.SetHook(nil)
	b.advance(time.Minute)
	b.nothingLeft()
}

// A client that hangs up does not leave half a delete.
func TestDeleteGoesOnWithoutItsClient(t *testing.T) {
	b := started(t)
	sb := b.create()
	ctx, cancel := context.WithCancel(t.Context())
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Delete {
			cancel()
		}
		return nil
	})
	require.NoError(t, b.Delete(ctx, sb.ID))
	b.nothingLeft()
}

func TestDeleteWithABrokenStore(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.ReconcileInterval = 5 * time.Millisecond })
	sb := b.create()
	b.store.failing(func(string, lifecycle.Record) error { return errors.New("disk full") })
	require.NoError(t, b.Delete(t.Context(), sb.ID), "a full disk keeps a sandbox alive")
	require.False(t, b.runtime.Has(sb.ID))
	_, err := b.Get(t.Context(), sb.ID)
	fails(t, err, 404, notFound)
	b.store.failing(nil)
	b.eventually(func() bool { b.advance(time.Second); return len(b.store.all()) == 0 })
	b.nothingLeft()
}
