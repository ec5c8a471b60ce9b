package files

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func put(t *testing.T, path, content string, p Permission, links Links) error {
	t.Helper()
	s, err := Stage(path, links)
	if err != nil {
		return err
	}
	_, err = io.WriteString(s, content)
	require.NoError(t, err)
	require.NoError(t, s.Pause())
	return s.Commit(p)
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestStagedCreatesAndReplaces(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "a/b/f")
	require.NoError(t, put(t, path, "one", Permission{}, KeepLinks))
	require.Equal(t, "one", content(t, path))
	info, _ := os.Stat(path)
	require.EqualValues(t, 0o777&^umask(), info.Mode().Perm())

	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, put(t, path, "two", Permission{}, KeepLinks))
	info, _ = os.Stat(path)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "a replaced file keeps its mode")
	require.NoError(t, put(t, path, "three", Permission{Mode: 640}, KeepLinks))
	info, _ = os.Stat(path)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())
	require.Equal(t, []string{"f"}, entries(t, filepath.Dir(path)), "nothing is left over")

	if os.Geteuid() == 0 {
		deep := filepath.Join(root, "x/y/f")
		require.NoError(t, put(t, deep, "", Permission{Owner: "nobody"}, KeepLinks))
		for _, p := range []string{deep, filepath.Dir(deep), filepath.Dir(filepath.Dir(deep))} {
			got, err := NewDescriber().Path(p)
			require.NoError(t, err)
			require.Equal(t, "nobody", got.Owner, p)
		}
	}
}

func TestStagedDiscardLeavesTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, put(t, path, "old", Permission{}, KeepLinks))
	s, err := Stage(path, KeepLinks)
	require.NoError(t, err)
	_, _ = io.WriteString(s, "half")
	s.Discard()
	require.Equal(t, "old", content(t, path))
	require.Error(t, put(t, path, "new", Permission{Owner: "no-such-user"}, KeepLinks))
	require.Equal(t, "old", content(t, path))
	require.Equal(t, []string{"f"}, entries(t, filepath.Dir(path)))
}

func TestStagedAndLinks(t *testing.T) {
	root := t.TempDir()
	target, link := filepath.Join(root, "t"), filepath.Join(root, "l")
	require.NoError(t, os.WriteFile(target, []byte("precious"), 0o644))
	require.NoError(t, os.Symlink("t", link))
	require.NoError(t, put(t, link, "followed", Permission{}, FollowLinks))
	require.Equal(t, "followed", content(t, target))
	require.NoError(t, put(t, link, "own", Permission{}, KeepLinks))
	require.Equal(t, "followed", content(t, target), "what the link pointed to is untouched")
	require.Equal(t, "own", content(t, link))
	info, _ := os.Lstat(link)
	require.True(t, info.Mode().IsRegular())
}

func TestStageRefusesSpecialFiles(t *testing.T) {
	root := t.TempDir()
	fifo := filepath.Join(root, "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	for _, path := range []string{root, fifo, "/dev/null"} {
		_, err := Stage(path, KeepLinks)
		require.ErrorIs(t, err, ErrNotRegular, path)
	}
}

func TestStagedOverAMountPoint(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: not root: replacing a mount point is not tested in this run")
	}
	root := t.TempDir()
	source, point := filepath.Join(root, "source"), filepath.Join(root, "hosts")
	require.NoError(t, os.WriteFile(source, []byte("longer than the new one"), 0o644))
	require.NoError(t, os.WriteFile(point, nil, 0o644))
	if err := unix.Mount(source, point, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("SKIPPED: no CAP_SYS_ADMIN: replacing a mount point is not tested in this run: %v", err)
	}
	defer func() { require.NoError(t, unix.Unmount(point, 0)) }()
	require.NoError(t, put(t, point, "new", Permission{Mode: 600}, KeepLinks))
	require.Equal(t, "new", content(t, source))
	require.Equal(t, []string{"hosts", "source"}, entries(t, root))
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, []byte("a-b-c"), 0o640))
	count, err := Replace(path, []byte("-"), []byte("++"), KeepLinks)
	require.NoError(t, err)
	require.Equal(t, 2, count)
	require.Equal(t, "a++b++c", content(t, path))
	info, _ := os.Stat(path)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm())

	before, _ := os.Stat(path)
	count, err = Replace(path, []byte("zz"), nil, KeepLinks)
	require.NoError(t, err)
	require.Zero(t, count)
	after, _ := os.Stat(path)
	require.True(t, os.SameFile(before, after), "no match leaves the file alone")

	link := path + "l"
	require.NoError(t, os.Symlink(path, link))
	_, err = Replace(link, []byte("a"), []byte("b"), KeepLinks)
	require.ErrorIs(t, err, ErrLink)
	count, err = Replace(link, []byte("a"), []byte("b"), FollowLinks)
	require.NoError(t, err)
	require.Equal(t, 1, count)
	require.Equal(t, "b++b++c", content(t, path))
	_, err = Replace(path, nil, nil, KeepLinks)
	require.ErrorIs(t, err, ErrEmptyOld)
	_, err = Replace(filepath.Dir(path), []byte("a"), nil, KeepLinks)
	require.ErrorIs(t, err, ErrNotRegular)
	_, err = Replace(path+"x", []byte("a"), nil, KeepLinks)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSubstituteAcrossReads(t *testing.T) {
	for _, c := range []struct{ in, old, fresh string }{
		{strings.Repeat("abcab", 200_000), "bca", "X"},
		{strings.Repeat("a", 700_001), "aa", "b"},
		{strings.Repeat("x", 256<<10-1) + "needle" + strings.Repeat("y", 10), "needle", ""},
		{"short", "much longer than that", "x"},
		{"", "a", "b"},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.in), iotest.HalfReader(strings.NewReader(c.in))} {
			var out bytes.Buffer
			count, err := substitute(&out, r, []byte(c.old), []byte(c.fresh))
			require.NoError(t, err)
			require.Equal(t, strings.Count(c.in, c.old), count)
			require.Equal(t, strings.ReplaceAll(c.in, c.old, c.fresh), out.String())
		}
	}
}
