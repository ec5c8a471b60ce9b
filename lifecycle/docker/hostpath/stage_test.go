package hostpath_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/lifecycle/docker/hostpath"
)

func newStage(t *testing.T) *hostpath.Stage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounts: they need root")
	}
	stage, err := hostpath.NewStage(filepath.Join(t.TempDir(), "stage"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stage.Close()) })
	return stage
}

func TestABindStaysWhatThePlaceWas(t *testing.T) {
	stage := newStage(t)
	allowed, secret, rules := tree(t)
	place, err := rules.Open(allowed + "/a")
	require.NoError(t, err)
	defer place.Close()
	require.NoError(t, os.Rename(allowed+"/a", allowed+"/b"))
	require.NoError(t, os.Symlink(secret, allowed+"/a"))

	at, remove, err := stage.Bind(place, false)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at+"/x", nil, 0o600))
	require.FileExists(t, allowed+"/b/x")
	require.NoFileExists(t, secret+"/x")
	second, removeSecond, err := stage.Bind(place, false)
	require.NoError(t, err)
	require.NoError(t, remove())
	require.NoFileExists(t, at)
	require.FileExists(t, second+"/x")
	require.NoError(t, removeSecond())
	require.NoDirExists(t, filepath.Dir(at), "nothing is mounted without a bind")
	require.FileExists(t, allowed+"/b/x")
}

func TestFilesAndReadOnlyTrees(t *testing.T) {
	stage := newStage(t)
	allowed, _, rules := tree(t)
	require.NoError(t, os.WriteFile(allowed+"/f", []byte("text"), 0o600))
	require.NoError(t, os.Mkdir(allowed+"/below", 0o755))
	require.NoError(t, unix.Mount("below", allowed+"/below", "tmpfs", 0, ""))
	t.Cleanup(func() { require.NoError(t, unix.Unmount(allowed+"/below", unix.MNT_DETACH)) })

	file, err := rules.Open(allowed + "/f")
	require.NoError(t, err)
	defer file.Close()
	at, remove, err := stage.Bind(file, false)
	require.NoError(t, err)
	content, err := os.ReadFile(at)
	require.NoError(t, err)
	require.Equal(t, "text", string(content))
	require.NoError(t, remove())

	dir, err := rules.Open(allowed)
	require.NoError(t, err)
	defer dir.Close()
	at, remove, err = stage.Bind(dir, true)
	require.NoError(t, err)
	require.ErrorIs(t, os.WriteFile(at+"/x", nil, 0o600), unix.EROFS)
	require.ErrorIs(t, os.WriteFile(at+"/below/x", nil, 0o600), unix.EROFS)
	require.NoError(t, remove())
	// The mounts below the place are still there, and writable.
	require.NoError(t, os.WriteFile(allowed+"/below/x", nil, 0o600))
}

func TestLeftoversOfAnEarlierProcessAreRemoved(t *testing.T) {
	stage := newStage(t)
	allowed, _, rules := tree(t)
	place, err := rules.Open(allowed + "/a")
	require.NoError(t, err)
	defer place.Close()
	at, _, err := stage.Bind(place, false)
	require.NoError(t, err)
	// The process dies here.
	again, err := hostpath.NewStage(filepath.Dir(at))
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Dir(at))
	_, remove, err := again.Bind(place, false)
	require.NoError(t, err)
	require.NoError(t, remove())
	// Should the first one live after all, it makes its stage again.
	require.NoError(t, again.Close())
	_, remove, err = stage.Bind(place, false)
	require.NoError(t, err)
	require.NoError(t, remove())
	require.DirExists(t, allowed+"/a")
}
