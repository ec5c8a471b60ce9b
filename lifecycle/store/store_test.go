package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
	"github.com/opensandbox-edge/edge/lifecycle/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func records() []lifecycle.Record {
	created := time.Date(2026, 11, 23, 8, 20, 36, 459446000, time.UTC)
	return []lifecycle.Record{
		{
			ID: "a", Phase: lifecycle.Live, Image: "python:3.11",
			Platform:   &lifecycle.Platform{OS: "linux", Arch: "arm64"},
			Entrypoint: []string{"sh", "-c", `echo "ä" '; DROP TABLE edge_sandboxes`, ""},
			Metadata:   map[string]string{"team": "ml", "x.example/y": ""},
			CreatedAt:  created, ExpiresAt: created.Add(time.Hour),
			RenewExtend: 10 * time.Minute, RenewMax: 4 * time.Hour, ExecdToken: true, SecureAccess: true,
			IdleTimeout: 90 * time.Second, IdleUntil: created.Add(2 * time.Minute),
		},
		{ID: "b", Phase: lifecycle.Creating, SnapshotID: "s", Entrypoint: []string{}, Metadata: map[string]string{}, CreatedAt: created},
		{ID: "d", Phase: lifecycle.Creating, Promised: true, Entrypoint: []string{}, Metadata: map[string]string{}, CreatedAt: created},
		{
			ID: "e", Phase: lifecycle.Unmade, Promised: true, Entrypoint: []string{}, Metadata: map[string]string{}, CreatedAt: created,
			Failure: lifecycle.Failure{At: created.Add(time.Second), Message: "no such image"},
		},
		{ID: "c", Phase: lifecycle.Deleting, Entrypoint: []string{}, Metadata: map[string]string{}, CreatedAt: created},
	}
}

func TestRecordsSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder with ? and %41", "edge.db")
	s := open(t, path)
	for _, r := range records() {
		require.NoError(t, s.Put(t.Context(), r))
	}
	require.NoError(t, s.Close())

	s = open(t, path)
	all, err := s.All(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, records(), all)

	changed := records()[0]
	changed.ExpiresAt = time.Time{}
	changed.Metadata = map[string]string{"k": "v"}
	changed.Platform = nil
	require.NoError(t, s.Put(t.Context(), changed))
	require.NoError(t, s.Delete(t.Context(), "b"))
	require.NoError(t, s.Delete(t.Context(), "b"), "an absent record")
	all, err = s.All(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, []lifecycle.Record{changed, records()[2], records()[3], records()[4]}, all)
}

func TestRefusesAnUnknownPhase(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "edge.db"))
	require.Error(t, s.Put(t.Context(), lifecycle.Record{ID: "a", Phase: "half"}))
}

func TestFilesAreForTheOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := open(t, filepath.Join(dir, "edge.db"))
	require.NoError(t, s.Put(t.Context(), records()[0]))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 3, "database, log and lock")
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
}

func TestRefusesWhatOthersCanRead(t *testing.T) {
	for _, c := range []struct {
		name string
		open func(dir string) error
	}{
		{"database", func(dir string) error { return os.Chmod(filepath.Join(dir, "edge.db"), 0o644) }},
		{"log left by a crash", func(dir string) error { return os.WriteFile(filepath.Join(dir, "edge.db-wal"), nil, 0o640) }},
		{"folder", func(dir string) error { return os.Chmod(dir, 0o777) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			path := filepath.Join(dir, "edge.db")
			require.NoError(t, open(t, path).Close())
			require.NoError(t, c.open(dir))
			_, err := store.Open(t.Context(), path)
			require.ErrorContains(t, err, "chmod")
		})
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	first := open(t, path)
	_, err := store.Open(t.Context(), path)
	require.ErrorContains(t, err, "another server")
	require.NoError(t, first.Close())
	open(t, path)
}

func TestDamagedFileIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path)
	for i := range 500 {
		r := records()[0]
		r.ID = fmt.Sprint("id", i)
		require.NoError(t, s.Put(t.Context(), r))
	}
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	for name, content := range map[string][]byte{
		"no database": []byte("this is text, long enough to be looked at as a header of a database file, is it not? it is not: sqlite wants its magic"),
		"torn pages":  append(slices.Clone(whole[:5000]), bytes.Repeat([]byte{0xa5}, len(whole)-5000)...),
	} {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err = store.Open(t.Context(), path)
		require.ErrorContains(t, err, "damaged", name)
		require.ErrorContains(t, err, path, name)
	}
}

// The reference keeps its snapshots in the file that is the default for both.
func TestSharesTheFileWithTheReference(t *testing.T) {
	path := filepath.Join(t.TempDir(), "opensandbox.db")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), `PRAGMA journal_mode = WAL;
		CREATE TABLE snapshots (id TEXT PRIMARY KEY, source_sandbox_id TEXT NOT NULL, name TEXT, description TEXT, restore_config TEXT NOT NULL,
			state TEXT NOT NULL, reason TEXT, message TEXT, last_transition_at TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
		CREATE INDEX idx_snapshots_source_sandbox_id ON snapshots(source_sandbox_id);
		CREATE INDEX idx_snapshots_state ON snapshots(state);
		CREATE INDEX idx_snapshots_created_at ON snapshots(created_at DESC);
		INSERT INTO snapshots VALUES ('one', 's', NULL, NULL, '{"image": "repo:tag"}', 'Ready', NULL, NULL, NULL,
			'2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00.123456+00:00')`)
	require.NoError(t, err)
	before := schema(t, db, "snapshots")
	require.NoError(t, db.Close())

	s := open(t, path)
	require.NoError(t, s.Put(t.Context(), records()[0]))
	theirs, err := s.Snapshot(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, snapshots.Snapshot{
		ID: "one", SandboxID: "s", Image: "repo:tag", CreatedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Status: snapshots.Status{State: snapshots.Ready},
	}, theirs)
	require.NoError(t, s.Close())

	db, err = sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	require.Equal(t, before, schema(t, db, "snapshots"))
	var state string
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT state FROM snapshots WHERE id = 'one'").Scan(&state))
	require.Equal(t, "Ready", state)
	var others int
	require.NoError(t, db.QueryRowContext(t.Context(),
		"SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'edge\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'").Scan(&others))
	require.Equal(t, 1, others, "a table of ours without our prefix")
}

func schema(t *testing.T, db *sql.DB, table string) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY name", table)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		all = append(all, line)
	}
	require.NoError(t, rows.Err())
	return all
}

func TestRefusesANewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	require.NoError(t, open(t, path).Close())
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "INSERT INTO edge_schema (version_id, is_applied) VALUES (999, 1)")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	_, err = store.Open(t.Context(), path)
	require.ErrorContains(t, err, "newer version")
}

func TestCancelledWriteLeavesTheStoreUsable(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "edge.db"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Put(ctx, records()[0]), context.Canceled)
	require.NoError(t, s.Put(t.Context(), records()[1]))
}

func TestConcurrentWrites(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "edge.db"))
	var wg sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		r := records()[0]
		r.ID = fmt.Sprint("id", i)
		wg.Go(func() { errs[i] = s.Put(t.Context(), r) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	all, err := s.All(t.Context())
	require.NoError(t, err)
	require.Len(t, all, len(errs))
}

func BenchmarkPut(b *testing.B) {
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "edge.db"))
	require.NoError(b, err)
	defer s.Close()
	r := records()[0]
	for b.Loop() {
		if err := s.Put(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
