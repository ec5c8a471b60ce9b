package caddymodule

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Logs that fill their disk cost the lines that do not fit, and nothing else (threat row
// X4). Once there is room, lines are written again.
func TestAFullDiskUnderTheLogsStopsNobody(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: a disk of its own for the logs can only be mounted by root")
	}
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("SKIPPED: tmpfs cannot be mounted here: ", err)
	}
	// Caddy keeps its last log file open after its end.
	t.Cleanup(func() { require.NoError(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	lastConnection(t)
	r := newRig(t)
	path := r.proxyPath()
	file := r.toml(testKey)
	access := filepath.Join(disk, "access.log")
	edit(t, file, filepath.Join(r.dir, "access.log"), access)
	edit(t, file, r.log(), filepath.Join(disk, "server.log"))
	r.load(file)
	require.Equal(t, http.StatusOK, r.do("GET", path+"/", "X-Request-ID: before").status)
	require.Eventually(t, func() bool { return strings.Contains(readFile(t, access), "before") }, wait, tick)

	filler := filepath.Join(disk, "filler")
	require.ErrorIs(t, os.WriteFile(filler, bytes.Repeat([]byte{1}, 1<<20), 0o600), syscall.ENOSPC)
	c := r.dial()
	for range 100 {
		require.Equal(t, http.StatusOK, c.get(path+"/").status)
		require.Equal(t, http.StatusOK, r.do("GET", "/v1/sandboxes", keyHeader(testKey)).status)
		require.Equal(t, http.StatusUnauthorized, r.do("GET", "/v1/sandboxes").status)
	}
	r.load(file) // a reload works, too
	require.ErrorIs(t, os.WriteFile(filepath.Join(disk, "more"), bytes.Repeat([]byte{1}, 8<<10), 0o600), syscall.ENOSPC)

	require.NoError(t, os.Remove(filler))
	require.Eventually(t, func() bool {
		return r.do("GET", path+"/", "X-Request-ID: after").status == http.StatusOK && strings.Contains(readFile(t, access), "after")
	}, wait, tick)
}
