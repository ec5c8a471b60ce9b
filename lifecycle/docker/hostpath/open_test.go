package hostpath_test

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/lifecycle/docker/hostpath"
)

// tree makes an allowed folder beside a secret one, both under a fresh root.
func tree(t *testing.T) (allowed, secret string, rules hostpath.Rules) {
	t.Helper()
	root := t.TempDir()
	allowed, secret = filepath.Join(root, "allowed"), filepath.Join(root, "secret")
	require.NoError(t, os.Mkdir(allowed, 0o755))
	require.NoError(t, os.Mkdir(secret, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(secret, "canary"), []byte("canary"), 0o600))
	return allowed, secret, hostpath.Rules{Roots: []string{allowed}, Create: true}
}

func TestOpensWhatIsAllowed(t *testing.T) {
	allowed, _, rules := tree(t)
	file := filepath.Join(allowed, "disk.iso")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	inside := filepath.Join(allowed, "link")
	require.NoError(t, os.Symlink("a", inside))
	for _, c := range []struct {
		path, canonical string
		dir             bool
	}{
		{allowed, allowed, true},
		{allowed + "/a/b/c", allowed + "/a/b/c", true}, // made
		{inside, allowed + "/a", true},                 // a link that stays inside
		{file, file, false},
	} {
		place, err := rules.Open(c.path)
		require.NoError(t, err, c.path)
		require.Equal(t, c.canonical, place.Path)
		require.Equal(t, c.dir, place.Dir)
		require.True(t, rules.Same(place))
		require.NoError(t, place.Close())
	}
	require.DirExists(t, allowed+"/a/b/c")
	rules.Roots = []string{"/"}
	place, err := rules.Open(allowed)
	require.NoError(t, err)
	require.NoError(t, place.Close())
}

func TestRefusesWhatIsNot(t *testing.T) {
	allowed, secret, rules := tree(t)
	require.NoError(t, os.Symlink(secret, allowed+"/out"))
	require.NoError(t, os.Symlink(secret+"/none", allowed+"/dangling"))
	require.NoError(t, os.Symlink("loop", allowed+"/loop"))
	require.NoError(t, unix.Mkfifo(allowed+"/fifo", 0o600))
	require.NoError(t, os.Mkdir(allowed+"/store", 0o755))
	require.NoError(t, os.WriteFile(allowed+"/file", nil, 0o600))
	socket, err := net.Listen("unix", allowed+"/sock")
	require.NoError(t, err)
	defer socket.Close()
	rules.Protected = []string{allowed + "/store/db", "/proc", allowed + "/missing/later"}

	for path, want := range map[string]error{
		secret:                       hostpath.ErrOutside,
		allowed + "/out":             hostpath.ErrOutside,
		allowed + "/out/canary":      hostpath.ErrOutside,
		allowed + "/dangling":        hostpath.ErrOutside,
		allowed + "/fifo":            hostpath.ErrKind,
		allowed + "/sock":            hostpath.ErrKind,
		allowed:                      hostpath.ErrProtected, // above
		allowed + "/store":           hostpath.ErrProtected, // above
		allowed + "/store/db/one":    hostpath.ErrProtected, // below, once it exists
		allowed + "/missing":         hostpath.ErrProtected, // above what is not there yet
		allowed + "/missing/later":   hostpath.ErrProtected,
		allowed + "/missing/later/x": hostpath.ErrProtected,
		"/proc/self":                 hostpath.ErrOutside,
		allowed + "/loop":            unix.ELOOP,
		allowed + "/file/x":          unix.ENOTDIR,
	} {
		if path == allowed+"/store/db/one" {
			require.NoError(t, os.MkdirAll(path, 0o755))
		}
		place, err := rules.Open(path)
		if err == nil {
			require.NoError(t, place.Close())
		}
		if want == unix.ELOOP {
			require.Error(t, err, path) // EvalSymlinks has no error of its own for it
			continue
		}
		require.ErrorIs(t, err, want, path)
	}
	require.NoDirExists(t, allowed+"/missing", "made on the way to a refusal")

	rules.Roots = []string{"/"}
	for _, path := range []string{"/", "/proc", "/proc/self/root", "/proc/1"} {
		_, err := rules.Open(path)
		require.ErrorIs(t, err, hostpath.ErrProtected, path)
	}

	rules.Create = false
	_, err = rules.Open(allowed + "/nothing")
	require.ErrorIs(t, err, hostpath.ErrMissing)
	require.NoDirExists(t, allowed+"/nothing")
}

func TestAPathThatWasMovedIsNotTheSame(t *testing.T) {
	allowed, secret, rules := tree(t)
	place, err := rules.Open(allowed + "/a")
	require.NoError(t, err)
	defer place.Close()
	require.NoError(t, os.Rename(allowed+"/a", allowed+"/b"))
	require.False(t, rules.Same(place))
	require.NoError(t, os.Symlink(secret, allowed+"/a"))
	require.False(t, rules.Same(place))
}

// Somebody who may write beside a path swaps it for a link to the canary all the time; a
// bind of the path never shows it.
func TestSwappedPathsNeverReachTheCanary(t *testing.T) {
	stage := newStage(t)
	allowed, secret, rules := tree(t)
	path, aside, link := allowed+"/data", allowed+"/aside", allowed+"/link"
	require.NoError(t, os.Mkdir(path, 0o755))
	require.NoError(t, os.Symlink(secret, link))

	stop := make(chan struct{})
	var swaps sync.WaitGroup
	swaps.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(path, aside)
			_ = os.Rename(link, path)
			_ = os.Rename(path, link)
			_ = os.Rename(aside, path)
		}
	})
	defer swaps.Wait()
	defer close(stop)

	rules.Create = false
	opened, refused := 0, 0
	for range 10_000 {
		place, err := rules.Open(path)
		if err != nil {
			refused++
			continue
		}
		opened++
		at, remove, err := stage.Bind(place, false)
		require.NoError(t, err)
		require.NoFileExists(t, at+"/canary")
		require.NoError(t, remove())
		require.NoError(t, place.Close())
	}
	require.Positive(t, opened, "the path was never there")
	require.Positive(t, refused, "the path was never swapped")
}
