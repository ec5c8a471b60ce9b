package ossfs

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
	"github.com/opensandbox-edge/edge/secret"
)

// standIn mounts a tmpfs where the real programs mount a bucket, and writes down what it was
// given: arguments, environment, and the file with its mode.
const standIn = `#!/bin/sh
log="$(dirname "$0")/log"
name=$(basename "$0")
case "$name" in
ossfs2) target=$2 file=$4 ;;
ossfs) target=$2; for a; do case "$a" in passwd_file=*) file=${a#passwd_file=} ;; esac; done ;;
esac
{ echo "argv: $name $*"; echo "env: $(env | sort | tr '\n' ' ')"; echo "mode: $(stat -c %a "$file") $file"; sed 's/^/file: /' "$file"; } >> "$log"
case "$(cat "$file")" in
*reject*) echo "denied: $(cat "$file")" >&2; exit 3 ;;
*empty*) exit 0 ;;
esac
exec mount -t tmpfs stand-in "$target"
`

type bed struct {
	*Mounts
	t       *testing.T
	root    string
	program string
	logged  *strings.Builder
}

func newBed(t *testing.T) *bed {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounts: they need root")
	}
	b := &bed{t: t, root: t.TempDir(), program: t.TempDir(), logged: new(strings.Builder)}
	for _, name := range []string{"ossfs", "ossfs2"} {
		require.NoError(t, os.WriteFile(filepath.Join(b.program, name), []byte(standIn), 0o755))
	}
	t.Setenv("PATH", b.program+":"+os.Getenv("PATH"))
	t.Setenv("EDGE_API_KEY", "of-the-server")
	t.Cleanup(func() {
		b.Mounts = New(b.root, "one", slog.New(slog.DiscardHandler))
		b.Clean(context.Background())
		require.Empty(t, b.mounted(), "a mount is left")
	})
	b.restart()
	return b
}

// restart is what a new process begins with.
func (b *bed) restart() {
	b.Mounts = New(b.root, "one", slog.New(slog.NewTextHandler(b.logged, nil)))
}

func (b *bed) acquire(sandbox string, wanted Bucket) string {
	b.t.Helper()
	path, err := b.Acquire(b.t.Context(), sandbox, wanted)
	require.NoError(b.t, err)
	require.Contains(b.t, b.mounted(), path)
	return path
}

func (b *bed) mounted() []string {
	points, err := mountPoints()
	require.NoError(b.t, err)
	var below []string
	for path := range points {
		if strings.HasPrefix(path, b.root+"/") {
			below = append(below, path)
		}
	}
	return below
}

func (b *bed) log() string {
	text, err := os.ReadFile(filepath.Join(b.program, "log"))
	require.NoError(b.t, err)
	return string(text)
}

func (b *bed) runs() int { return strings.Count(b.log(), "argv: ") }

func keyed(key string) Bucket {
	return bucket(func(v *volume.Volume) { v.OSSFS.KeySecret = secret.New(key) })
}

func TestAMountIsSharedAndGoesWithItsLastSandbox(t *testing.T) {
	b := newBed(t)
	path := b.acquire("a", bucket(nil))
	require.Equal(t, path, b.acquire("a", bucket(nil)))
	require.Equal(t, path, b.acquire("b", bucket(nil)))
	require.Equal(t, 1, b.runs())
	b.Release(t.Context(), "a")
	b.Release(t.Context(), "a")
	require.Contains(t, b.mounted(), path)
	b.Release(t.Context(), "b")
	require.Empty(t, b.mounted())
	require.NoDirExists(t, path)
	require.Empty(t, b.places)
	b.Release(t.Context(), "nobody")
}

func TestOtherCredentialsNeverShareAMount(t *testing.T) {
	b := newBed(t)
	path := b.acquire("a", bucket(nil))
	_, err := b.Acquire(t.Context(), "thief", keyed("reject"))
	require.Error(t, err)
	require.Equal(t, []string{path}, b.mounted())
	require.NotEqual(t, path, b.acquire("b", keyed("other-key")))
	b.Release(t.Context(), "a")
	b.Release(t.Context(), "b")
}

func TestCredentialsAreInAPrivateFileAlone(t *testing.T) {
	b := newBed(t)
	for _, version := range []string{volume.OSSFS1, volume.OSSFS2} {
		b.acquire("a", bucket(func(v *volume.Volume) { v.OSSFS.Version, v.OSSFS.KeySecret = version, secret.New("hunter2") }))
	}
	b.Release(t.Context(), "a")
	found := 0
	for line := range strings.Lines(b.log()) {
		kind, rest, _ := strings.Cut(line, ": ")
		switch kind {
		case "file":
			if strings.Contains(rest, "hunter2") {
				found++
			}
			continue
		case "mode":
			mode, file, _ := strings.Cut(strings.TrimSpace(rest), " ")
			require.Equal(t, "600", mode)
			require.NoFileExists(t, file, "it outlived the command")
		case "env":
			require.NotContains(t, rest, "of-the-server")
		}
		require.NotContains(t, line, "hunter2")
		require.NotContains(t, line, "the-id")
	}
	require.Equal(t, 2, found)
}

func TestAFailedMountLeavesNothingAndTellsNoKey(t *testing.T) {
	b := newBed(t)
	for key, text := range map[string]string{"reject-hunter2": "denied", "empty": "could not be mounted"} {
		_, err := b.Acquire(t.Context(), "a", keyed(key))
		var e *apierror.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "VOLUME::OSSFS_MOUNT_FAILED", e.Code)
		require.Equal(t, 500, e.Status)
		require.Contains(t, e.Message, text)
		require.NotContains(t, err.Error()+e.Message+b.logged.String(), "hunter2")
		require.NotContains(t, err.Error()+e.Message+b.logged.String(), "the-id")
	}
	require.Empty(t, b.mounted())
	require.Empty(t, b.places)
	left, err := os.ReadDir(filepath.Join(b.root, "one"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestAProgramThatIsMissingIsSaid(t *testing.T) {
	b := newBed(t)
	require.NoError(t, os.Remove(filepath.Join(b.program, "ossfs2")))
	_, err := b.Acquire(t.Context(), "a", bucket(nil))
	require.ErrorContains(t, err, "ossfs2")
}

func TestManyAtOnceMountOnce(t *testing.T) {
	b := newBed(t)
	var work sync.WaitGroup
	for i := range 12 {
		work.Go(func() {
			_, err := b.Acquire(t.Context(), string(rune('a'+i)), keyed([]string{"one", "two"}[i%2]))
			assert.NoError(t, err)
		})
	}
	work.Wait()
	require.Equal(t, 2, b.runs())
	require.Len(t, b.mounted(), 2)
	for i := range 12 {
		work.Go(func() { b.Release(t.Context(), string(rune('a'+i))) })
	}
	work.Wait()
	require.Empty(t, b.mounted())
}

func TestARestartRebuildsTheUsers(t *testing.T) {
	b := newBed(t)
	kept, left := b.acquire("a", bucket(nil)), b.acquire("gone", keyed("x"))
	b.restart()
	b.Adopt("a", []string{kept, "/etc", b.root + "/../x"})
	b.Clean(t.Context())
	require.Equal(t, []string{kept}, b.mounted(), "%s has no user", left)
	require.Equal(t, kept, b.acquire("b", bucket(nil)))
	require.Equal(t, 2, b.runs(), "shared, not mounted again")
	b.Release(t.Context(), "a")
	require.Len(t, b.mounted(), 1)
	b.Release(t.Context(), "b")
	require.Empty(t, b.mounted())
}

func TestAMountIsLookedAtBeforeItIsShared(t *testing.T) {
	b := newBed(t)
	path := b.acquire("a", bucket(nil))
	// Somebody unmounted it behind the server's back: an empty folder is no bucket.
	_, err := run(t.Context(), unmountTimeout, "umount", path)
	require.NoError(t, err)
	b.acquire("b", bucket(nil))
	require.Equal(t, 2, b.runs())
	b.Release(t.Context(), "a")
	b.Release(t.Context(), "b")
	// One left over from a crash is mounted anew.
	b.acquire("c", bucket(nil))
	b.restart()
	b.acquire("d", bucket(nil))
	require.Equal(t, 4, b.runs())
	b.Release(t.Context(), "d")
}

func TestTheRootMustBeAbsolute(t *testing.T) {
	m := New("relative", "one", slog.New(slog.DiscardHandler))
	_, err := m.Acquire(t.Context(), "a", bucket(nil))
	var e *apierror.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "VOLUME::INVALID_OSSFS_MOUNT_ROOT", e.Code)
}
