package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/porttest"
)

// A start from the TOML opens one port and writes nothing outside of its own folders.
func TestOnePortAndNoFilesElsewhere(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	s.start()
	s.serving()
	require.Equal(t, []int{portOf(t, s.addr)}, s.listening())
	for _, page := range []string{"/docs", "/redoc", "/openapi.json", "/health"} {
		require.Equal(t, http.StatusOK, s.status(page, ""), page)
	}
	require.Equal(t, http.StatusUnauthorized, s.status("/v1/sandboxes", ""))
	require.Equal(t, http.StatusOK, s.status("/v1/sandboxes", key))
	s.signal(syscall.SIGTERM)
	require.Zero(t, s.exit(), s.log())

	require.NoDirExists(t, s.path("home"))
	err := filepath.Walk(s.dir, func(path string, info os.FileInfo, err error) error {
		require.NoError(t, err)
		if !info.IsDir() && path != s.path("sandbox.toml") {
			require.True(t, strings.HasPrefix(path, s.path("store/")), path)
		}
		if path != s.dir { // which the test made itself
			require.Zero(t, info.Mode().Perm()&0o077, "%s is %v", path, info.Mode())
		}
		return nil
	})
	require.NoError(t, err)
	require.NotContains(t, s.log(), key)
}

func TestMetricsHaveAPortOfTheirOwn(t *testing.T) {
	s := newServer(t)
	metrics := porttest.Reserve(t).String()
	s.write(key, fmt.Sprintf("[metrics]\nlisten = %q", metrics))
	s.start()
	s.serving()
	require.ElementsMatch(t, []int{portOf(t, s.addr), portOf(t, metrics)}, s.listening())
	require.Equal(t, http.StatusNotFound, (&server{t: t, addr: metrics}).status("/v1/sandboxes", key))
	require.Equal(t, http.StatusOK, (&server{t: t, addr: metrics}).status("/metrics", ""))
}

// The port is bound only after the restore, and a signal ends a start that hangs.
func TestPortIsBoundAfterTheRestore(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	require.NoError(t, os.WriteFile(s.path("store/backend-gate"), nil, 0o600))
	s.start()
	s.eventually("starting", func() bool { return strings.Contains(s.log(), "starting") })
	require.Empty(t, s.listening())
	require.NoError(t, os.Remove(s.path("store/backend-gate")))
	s.serving()

	hanging := newServer(t)
	hanging.write(key, "")
	require.NoError(t, os.WriteFile(hanging.path("store/backend-gate"), nil, 0o600))
	hanging.start()
	hanging.eventually("starting", func() bool { return strings.Contains(hanging.log(), "starting") })
	hanging.signal(syscall.SIGINT)
	require.Zero(t, hanging.exit(), hanging.log())
}

func TestInertKeysAreNamed(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	text, err := os.ReadFile(s.path("sandbox.toml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.path("sandbox.toml"), []byte(strings.Replace(string(text), "[server]", "[server]\nloop = \"uvloop\"", 1)), 0o600))
	s.start()
	s.serving()
	require.Contains(t, s.log(), "server.loop")
}
