package rotate_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/logging/rotate"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestFileRotatesBeforeTheWriteThatWouldExceed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "server.log")
	f, err := rotate.Open(path, rotate.Limits{MaxBytes: 10, Backups: 2})
	require.NoError(t, err)
	for _, line := range []string{"1111\n", "2222\n", "3333\n", "4444\n", "5555\n", "6666\n", "7777\n"} {
		n, err := f.Write([]byte(line))
		require.NoError(t, err)
		require.Equal(t, len(line), n)
	}
	require.NoError(t, f.Close())
	require.Equal(t, "7777\n", read(t, path))
	require.Equal(t, "5555\n6666\n", read(t, path+".1"))
	require.Equal(t, "3333\n4444\n", read(t, path+".2"))
	require.NoFileExists(t, path+".3")

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestSizeCountsWhatWasThereBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	require.NoError(t, os.WriteFile(path, []byte("old line\n"), 0o600))
	f, err := rotate.Open(path, rotate.Limits{MaxBytes: 10, Backups: 1})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	_, err = f.Write([]byte("new\n"))
	require.NoError(t, err)
	require.Equal(t, "old line\n", read(t, path+".1"))
	require.Equal(t, "new\n", read(t, path))
}

func TestZeroBackupsNeverRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	f, err := rotate.Open(path, rotate.Limits{MaxBytes: 1, Backups: 0})
	require.NoError(t, err)
	for range 3 {
		_, err = f.Write([]byte("line\n"))
		require.NoError(t, err)
	}
	require.NoFileExists(t, path+".1")
	f.SetLimits(rotate.Limits{MaxBytes: 1, Backups: 1})
	_, err = f.Write([]byte("last\n"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, "line\nline\nline\n", read(t, path+".1"))
}

func TestParallelWritesLoseNoLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	f, err := rotate.Open(path, rotate.Limits{MaxBytes: 256, Backups: 100})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				_, err := f.Write([]byte("0123456789\n"))
				require.NoError(t, err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, f.Close())
	all, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	count := 0
	for _, name := range all {
		count += strings.Count(read(t, name), "0123456789\n")
	}
	require.Equal(t, 400, count)
}

func TestRotationThatFailsKeepsWriting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "server.log")
	f, err := rotate.Open(path, rotate.Limits{MaxBytes: 4, Backups: 1})
	require.NoError(t, err)
	// A folder in the way of .1 cannot be replaced by a file, not even by root.
	require.NoError(t, os.MkdirAll(filepath.Join(path+".1", "x"), 0o700))
	for range 2 {
		_, err = f.Write([]byte("line\n"))
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
	require.Equal(t, "line\nline\n", read(t, path))
}

func TestOldFilesGoByAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	limits := rotate.Limits{MaxBytes: 4, Backups: 3, MaxAge: time.Hour}
	f, err := rotate.Open(path, limits)
	require.NoError(t, err)
	write := func(line string) {
		t.Helper()
		_, err := f.Write([]byte(line))
		require.NoError(t, err)
	}
	old := time.Now().Add(-2 * time.Hour)
	write("1111")
	write("2222")
	require.NoError(t, os.Chtimes(path+".1", old, old))
	write("3333")
	require.Equal(t, "2222", read(t, path+".1"))
	require.NoFileExists(t, path+".2", "the first file is too old")

	require.NoError(t, f.Close())
	require.NoError(t, os.Chtimes(path+".1", old, old))
	f, err = rotate.Open(path, limits)
	require.NoError(t, err)
	require.NoFileExists(t, path+".1")
	require.Equal(t, "3333", read(t, path))
	require.NoError(t, f.Close())
}
