package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/store"
)

// placed is the spec of a sandbox that exists before the service starts.
func placed(id string) lifecycle.Spec {
	return lifecycle.Spec{
		ID: id, Image: "label-image", Entrypoint: []string{"label"}, Timeout: time.Hour,
		Metadata: map[string]string{"from": "labels"}, RenewValue: "300", ExecdTokenSHA256: "x",
	}
}

func TestRestartWithEachPhase(t *testing.T) {
	const id = "some-sandbox"
	for _, phase := range []lifecycle.Phase{lifecycle.Creating, lifecycle.Live, lifecycle.Deleting, ""} {
		for _, backend := range []string{"running", "half made", "ended", "gone", "leftovers"} {
			for _, expired := range []bool{false, true} {
				t.Run(fmt.Sprintf("record %q, backend %s, expired %t", phase, backend, expired), func(t *testing.T) {
					b := newBed(t)
					switch backend {
					case "running":
						require.NoError(t, b.runtime.Place(placed(id)))
					case "half made":
						require.NoError(t, b.runtime.PlaceHalf(placed(id)))
					case "ended":
						require.NoError(t, b.runtime.Place(placed(id)))
						require.NoError(t, b.runtime.End(t.Context(), id, 1))
					case "leftovers":
						require.NoError(t, b.runtime.Place(placed(id)))
						require.NoError(t, b.runtime.Remove(t.Context(), id))
					}
					expires := b.clock.Now().Add(30 * time.Minute).UTC().Truncate(time.Microsecond)
					if expired {
						expires = expires.Add(-time.Hour)
					}
					if phase != "" {
						require.NoError(t, b.store.Put(t.Context(), lifecycle.Record{
							ID: id, Phase: phase, Image: "record-image", CreatedAt: expires.Add(-time.Hour), ExpiresAt: expires,
							Metadata: map[string]string{"from": "record"},
						}))
					} else if expired {
						b.advance(2 * time.Hour) // beyond the label's expiry
					}
					require.NoError(t, b.Start(t.Context()))

					exists := backend != "gone" && backend != "leftovers"
					if !exists || expired || phase == lifecycle.Creating || phase == lifecycle.Deleting {
						if phase == "" && backend == "leftovers" {
							require.Zero(t, b.Directory().Len())
							return // nobody knows of them
						}
						// Before Start returned, and so before anything listens.
						require.True(t, b.runtime.Empty(), "something is left on the backend")
						require.Empty(t, b.store.all())
						require.Zero(t, b.Directory().Len())
						return
					}
					sb, err := b.Get(t.Context(), id)
					require.NoError(t, err)
					record, known := b.store.get(id)
					require.True(t, known)
					require.Equal(t, lifecycle.Live, record.Phase)
					armed, _ := b.Armed(id)
					require.Equal(t, sb.ExpiresAt, armed)
					e := b.entry(id)
					if phase == lifecycle.Live {
						require.Equal(t, "record-image", sb.Image)
						require.Equal(t, map[string]string{"from": "record"}, sb.Metadata, "labels won over the record")
						require.Equal(t, expires, sb.ExpiresAt)
						require.Nil(t, e.ExecdTokenSum)
					} else {
						require.Equal(t, "label-image", sb.Image)
						require.Equal(t, map[string]string{"from": "labels"}, sb.Metadata)
						require.Equal(t, 5*time.Minute, e.RenewExtend)
						require.NotNil(t, e.ExecdTokenSum)
					}
					_, dialled := e.Dial(80)
					require.Equal(t, backend == "running", dialled)
				})
			}
		}
	}
}

// Acceptance: TTL 60 s, renewed by 10 minutes, restarted: alive after 61 s.
func TestRenewalSurvivesARestart(t *testing.T) {
	b := newBed(t)
	path := filepath.Join(t.TempDir(), "edge.db")
	reopen := func() {
		db, err := store.Open(t.Context(), path)
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		b.options.Store = db
		b.renew()
		b.start()
	}
	reopen()
	sb := b.create(timeout(time.Minute))
	want, err := b.Renew(t.Context(), sb.ID, b.clock.Now().Add(10*time.Minute))
	require.NoError(t, err)
	token := b.ExecdToken(sb.ID).Reveal()

	b.close(b.Service)
	require.NoError(t, b.options.Store.Close())
	b.advance(61 * time.Second)
	reopen()
	got, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, want, got.ExpiresAt)
	require.Equal(t, sb.CreatedAt, got.CreatedAt)
	require.Equal(t, token, b.ExecdToken(sb.ID).Reveal())
	b.advance(10 * time.Minute)
	b.eventually(func() bool { return !b.runtime.Has(sb.ID) })
}

func TestManualCleanupSurvivesARestart(t *testing.T) {
	b := started(t)
	sb := b.create(timeout(0))
	b.restart()
	b.advance(10000 * time.Hour)
	got, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.True(t, got.ExpiresAt.IsZero())
	_, armed := b.Armed(sb.ID)
	require.False(t, armed)
}

func TestStartWithoutABackend(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.store.Put(t.Context(), lifecycle.Record{ID: "a", Phase: lifecycle.Live}))
	b.runtime.SetHook(func(context.Context, runtimefake.Verb, string) error { return errors.New("dial unix: no such file") })
	e := fails(t, b.Start(t.Context()), 503, "DOCKER::INITIALIZATION_ERROR")
	require.NotContains(t, e.Message, "dial")
	require.Len(t, b.store.all(), 1, "an unreachable backend cost a record")
	require.False(t, b.Ready().Ready)
	_, err := b.Create(t.Context(), request())
	fails(t, err, 503, "GENERAL::SERVER_STOPPING")
}

// A removal that fails at the start does not keep the server from starting.
func TestStartWithARemovalThatFails(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.runtime.Place(placed("half")))
	require.NoError(t, b.store.Put(t.Context(), lifecycle.Record{ID: "half", Phase: lifecycle.Creating}))
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Delete {
			return errors.New("device busy")
		}
		return nil
	})
	b.start()
	require.Zero(t, b.Directory().Len())
	b.runtime.SetHook(nil)
	b.advance(2 * time.Second)
	b.nothingLeft()
}

func TestIDsThatRoutesCannotCarryAreIgnored(t *testing.T) {
	b := newBed(t)
	for _, id := range []string{"sandboxes", "v1", "a.b", "a/b", strings.Repeat("x", 64)} {
		require.NoError(t, b.runtime.Place(placed(id)))
	}
	require.NoError(t, b.runtime.Place(placed("fine")))
	b.start()
	require.NoError(t, b.Reconcile(t.Context()))
	require.Equal(t, 1, b.Directory().Len())
	require.Len(t, b.store.all(), 1)
	_, err := b.Get(t.Context(), "sandboxes")
	fails(t, err, 404, notFound)
	fails(t, b.Delete(t.Context(), "a.b"), 404, notFound)
	require.True(t, b.runtime.Has("a.b"))
}

func TestAdoptionWithABrokenStore(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.runtime.Place(placed("one")))
	b.store.failing(func(string, lifecycle.Record) error { return errors.New("disk full") })
	b.start()
	_, err := b.Get(t.Context(), "one")
	require.NoError(t, err)
}
