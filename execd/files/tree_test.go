package files

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// tree makes files (content = name) and directories (names ending in "/").
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if name[len(name)-1] == '/' {
			require.NoError(t, os.MkdirAll(path, 0o755))
		} else {
			require.NoError(t, os.WriteFile(path, []byte(name), 0o644))
		}
	}
	return root
}

func collect(t *testing.T, root string, walk func(func(Info) error) error) []string {
	t.Helper()
	var got []string
	require.NoError(t, walk(func(i Info) error {
		rel, err := filepath.Rel(root, i.Path)
		require.NoError(t, err)
		got = append(got, rel+":"+i.Type)
		return nil
	}))
	return got
}

func TestInfo(t *testing.T) {
	root := tree(t, "f", "d/")
	require.NoError(t, os.Chmod(filepath.Join(root, "f"), 0o640))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(root, "l")))
	d := NewDescriber()
	f, err := d.Path(filepath.Join(root, "f"))
	require.NoError(t, err)
	require.Equal(t, 640, f.Mode)
	require.EqualValues(t, 1, f.Size)
	require.Equal(t, TypeFile, f.Type)
	require.NotEmpty(t, f.Owner)
	require.NotEmpty(t, f.Group)
	require.WithinDuration(t, f.ModifiedAt, f.CreatedAt, time.Minute)
	l, err := d.Path(filepath.Join(root, "l"))
	require.NoError(t, err)
	require.Equal(t, TypeSymlink, l.Type, "not followed")
	_, err = d.Path(filepath.Join(root, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestSearch(t *testing.T) {
	root := tree(t, "a.txt", "b/c.txt", "b/d.go", "b/e/", ".h")
	require.NoError(t, os.Symlink("b", filepath.Join(root, "z")))
	search := func(q Query) []string {
		q.Root = root
		return collect(t, root, func(v func(Info) error) error { return Search(context.Background(), q, v) })
	}
	require.Equal(t, []string{".h:file", "a.txt:file", "b/c.txt:file", "b/d.go:file", "z:symlink"}, search(Query{}))
	require.Equal(t, []string{"a.txt:file", "b/c.txt:file"}, search(Query{Pattern: "*.txt"}))
	require.Equal(t, []string{"b/c.txt:file"}, search(Query{Pattern: "b/*.txt"}))
	require.Equal(t, []string{".h:file", "a.txt:file"}, search(Query{Limit: 2}))
	require.Equal(t, []string{"z:symlink"}, search(Query{Type: TypeSymlink}))
	require.Equal(t, []string{"b:directory", "b/e:directory"}, search(Query{Type: TypeDirectory, Pattern: "?"}))

	link := filepath.Join(root, "z")
	got := collect(t, root, func(v func(Info) error) error { return Search(context.Background(), Query{Root: link}, v) })
	require.Equal(t, []string{"z:symlink"}, got, "a link as root is only itself")
	require.ErrorIs(t, Search(context.Background(), Query{Root: root + "/absent"}, nil), os.ErrNotExist)
	require.ErrorIs(t, Search(context.Background(), Query{Root: root, Pattern: "["}, nil), ErrPattern)
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, Search(stopped, Query{Root: root}, nil), context.Canceled)
}

func TestList(t *testing.T) {
	root := tree(t, "b/c/d", "b/a", "a")
	require.NoError(t, os.Symlink("b", filepath.Join(root, "l")))
	list := func(depth int) []string {
		return collect(t, root, func(v func(Info) error) error { return List(context.Background(), root, depth, v) })
	}
	require.Empty(t, list(0))
	require.Equal(t, []string{"a:file", "b:directory", "l:symlink"}, list(1))
	require.Equal(t, []string{"a:file", "b:directory", "b/a:file", "b/c:directory", "l:symlink"}, list(2))
	require.Equal(t, []string{"a:file", "b:directory", "b/a:file", "b/c:directory", "b/c/d:file", "l:symlink"}, list(9))
	require.ErrorIs(t, List(context.Background(), filepath.Join(root, "a"), 1, nil), ErrNotDirectory)
	require.ErrorIs(t, List(context.Background(), filepath.Join(root, "l"), 1, nil), ErrLink)
	require.ErrorIs(t, List(context.Background(), filepath.Join(root, "x"), 1, nil), os.ErrNotExist)
}

func TestMakeAndRemove(t *testing.T) {
	root := tree(t, "f", "old/")
	require.NoError(t, os.Symlink("nowhere", filepath.Join(root, "dangling")))
	require.NoError(t, Make(filepath.Join(root, "x/y"), Permission{Mode: 700}))
	info, err := NewDescriber().Path(filepath.Join(root, "x/y"))
	require.NoError(t, err)
	require.Equal(t, 700, info.Mode)
	require.NoError(t, Make(filepath.Join(root, "old"), Permission{Mode: 700}))
	info, _ = NewDescriber().Path(filepath.Join(root, "old"))
	require.Equal(t, 755, info.Mode, "what existed is left as it was")
	require.Error(t, Make(filepath.Join(root, "f/x"), Permission{}))
	require.Error(t, Make(filepath.Join(root, "new"), Permission{Mode: 789}))
	require.NoDirExists(t, filepath.Join(root, "new"))

	require.NoError(t, Remove(filepath.Join(root, "dangling")))
	_, err = os.Lstat(filepath.Join(root, "dangling"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, Remove(filepath.Join(root, "f")))
	require.NoError(t, Remove(filepath.Join(root, "f")))
	require.Error(t, Remove(filepath.Join(root, "x")))
	require.NoError(t, RemoveTree(filepath.Join(root, "x")))
	require.NoError(t, RemoveTree(filepath.Join(root, "x")))
	require.NoDirExists(t, filepath.Join(root, "x"))
	require.ErrorIs(t, RemoveTree("/../."), ErrRoot)
}

func TestApply(t *testing.T) {
	root := tree(t, "f")
	file, link := filepath.Join(root, "f"), filepath.Join(root, "l")
	require.NoError(t, os.Symlink("f", link))
	require.NoError(t, Apply(file, Permission{Mode: 4711}, KeepLinks))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o711)|os.ModeSetuid, info.Mode())

	require.ErrorContains(t, Apply(link, Permission{Mode: 600}, KeepLinks), "symbolic link")
	info, _ = os.Stat(file)
	require.Equal(t, os.FileMode(0o711), info.Mode().Perm(), "nothing behind the link changed")
	require.NoError(t, Apply(link, Permission{Mode: 600}, FollowLinks))
	info, _ = os.Stat(file)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	require.Error(t, Apply(file, Permission{Mode: 8}, KeepLinks))
	require.Error(t, Apply(file, Permission{Mode: 17777}, KeepLinks))
	require.Error(t, Apply(file, Permission{Mode: -1}, KeepLinks))
	require.Error(t, Apply(file, Permission{Owner: "no-such-user"}, KeepLinks))
	require.Error(t, Apply(file, Permission{Owner: "4294967295"}, KeepLinks))
	require.ErrorIs(t, Apply(file+"x", Permission{}, KeepLinks), os.ErrNotExist)
	if os.Geteuid() == 0 {
		require.NoError(t, Apply(file, Permission{Owner: "nobody", Group: "12345"}, KeepLinks))
		got, err := NewDescriber().Path(file)
		require.NoError(t, err)
		require.Equal(t, "nobody", got.Owner)
		require.Equal(t, "12345", got.Group)
	}
}

func TestMove(t *testing.T) {
	root := tree(t, "f", "g", "d/x")
	at := func(name string) string { return filepath.Join(root, name) }
	require.NoError(t, Move(at("f"), at("new/deep/f")))
	require.FileExists(t, at("new/deep/f"))
	require.ErrorIs(t, Move(at("g"), at("new/deep/f")), os.ErrExist)
	require.FileExists(t, at("g"))
	require.ErrorIs(t, Move(at("absent"), at("y")), os.ErrNotExist)
	require.NoError(t, Move(at("d"), at("e")))
	require.FileExists(t, at("e/x"))
	require.Error(t, Move(at("e"), at("e/inside")))
	require.FileExists(t, at("e/x"))
}

func TestMoveByCopy(t *testing.T) {
	root := tree(t, "d/a", "d/s/b")
	at := func(name string) string { return filepath.Join(root, name) }
	require.NoError(t, os.Chmod(at("d/a"), os.ModeSetuid|0o750))
	require.NoError(t, os.Symlink("a", at("d/l")))
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	require.NoError(t, os.Chtimes(at("d/a"), when, when))
	require.NoError(t, moveByCopy(at("d"), at("e")))
	require.NoDirExists(t, at("d"))
	info, err := os.Stat(at("e/a"))
	require.NoError(t, err)
	require.Equal(t, os.ModeSetuid|0o750, info.Mode())
	require.True(t, info.ModTime().Equal(when))
	target, err := os.Readlink(at("e/l"))
	require.NoError(t, err)
	require.Equal(t, "a", target)

	// What cannot be copied leaves the source whole and no half of a copy.
	require.NoError(t, unix.Mkfifo(at("e/z"), 0o600))
	require.ErrorIs(t, moveByCopy(at("e"), at("g")), ErrNotRegular)
	require.FileExists(t, at("e/s/b"))
	require.NoDirExists(t, at("g"))
}
