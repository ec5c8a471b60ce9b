package snapshots_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
	"github.com/opensandbox-edge/edge/lifecycle/store"
)

// The table is shared with the reference, and its file with whoever edits it.
func TestADamagedRowSpoilsNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s, err := store.Open(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `INSERT INTO snapshots (id, source_sandbox_id, restore_config, state, last_transition_at, created_at, updated_at) VALUES
		('json',  's', '{"image":',         'Ready',    NULL,    '2026-01-01T00:00:00+00:00', ''),
		('type',  's', '{"image":{"a":1}}', 'Ready',    NULL,    '2026-01-01T00:00:00+00:00', ''),
		('blob',  's', x'ff00',             'Ready',    x'ff',   x'ff',                       ''),
		('state', 's', '{"image":"i"}',     'Archived', NULL,    '2026-01-01T00:00:00+00:00', ''),
		('begun', 's', '',                  'Creating', 'noon',  'noon',                      ''),
		('going', 's', '[]',                'Deleting', 'never', '2026-01-01T00:00:00+00:00', ''),
		('dates', 's', '{"image":"i"}',     'Ready',    'never', 'noon',                      ''),
		(NULL,    's', '{"image":"i"}',     'Ready',    NULL,    '2026-01-01T00:00:00+00:00', ''),
		('sound', 's', '{"image":"i"}',     'Ready',    NULL,    '2026-01-01T00:00:00+00:00', '')`)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	s, err = store.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	b := (&bed{t: t, store: s, backend: &backend{images: map[string]bool{"begun": true, "json": true}}}).start()

	want := map[string]snapshots.State{
		"json": snapshots.Failed, "type": snapshots.Failed, "blob": snapshots.Failed, "state": snapshots.Failed,
		"begun": snapshots.Ready, "dates": snapshots.Ready, "sound": snapshots.Ready,
	}
	listed, total, err := b.List(t.Context(), snapshots.Filter{}, 1, 20)
	require.NoError(t, err)
	require.Equal(t, len(want), total)
	got := map[string]snapshots.State{}
	for _, row := range listed {
		got[row.ID] = row.Status.State
	}
	require.Equal(t, want, got, "what was going is gone, what was begun is found")
	for id, code := range map[string]string{
		"json": "SNAPSHOT::INVALID_RESTORE_CONFIG", "type": "SNAPSHOT::INVALID_RESTORE_CONFIG",
		"blob": "SNAPSHOT::INVALID_RESTORE_CONFIG", "state": "SNAPSHOT::NOT_READY",
	} {
		_, err := b.RestoreImage(t.Context(), id)
		requireCode(t, err, 409, code)
	}
	found, _ := b.backend.ListSnapshots(t.Context())
	require.ElementsMatch(t, []string{"begun", "json"}, found, "no sweep takes what a repair of the row could save")
	for id := range want {
		require.NoError(t, b.Remove(t.Context(), id), id)
	}
	_, total, err = b.List(t.Context(), snapshots.Filter{}, 1, 20)
	require.NoError(t, err)
	require.Zero(t, total)
}
