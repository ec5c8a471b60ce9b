package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHangup(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	s.start()
	s.serving()
	s.write("another-key-0123456789", "[log]\nlevel = \"DEBUG\"")
	s.signal(syscall.SIGHUP)
	s.eventually("reloaded", func() bool { return strings.Contains(s.log(), "configuration reloaded") })
	require.Equal(t, http.StatusUnauthorized, s.status("/v1/sandboxes", key))
	require.Equal(t, http.StatusOK, s.status("/v1/sandboxes", "another-key-0123456789"))
	require.Contains(t, s.log(), "DEBUG")

	for i, broken := range []func(){
		func() { s.write("", "") },
		func() { s.write(key, "[runtim]\n[server") },
		func() { s.write(key, "[docker]\n[log]\nformat = \"json\"") }, // a key that needs a restart
	} {
		broken()
		s.signal(syscall.SIGHUP)
		s.eventually("refused", func() bool { return strings.Count(s.log(), "reload refused") == i+1 })
		require.Equal(t, http.StatusOK, s.status("/v1/sandboxes", "another-key-0123456789"))
	}
	require.Contains(t, s.log(), `the configuration it has cause="these keys cannot change while the server runs; restart it: log.format"`)
	require.Equal(t, 1, strings.Count(s.log(), "sandboxes restored"), "the state is opened once")
}

func TestReloadFlagWatchesTheFile(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	require.NoError(t, os.WriteFile(s.path("store/backend-gate"), nil, 0o600))
	s.start("--reload", "--config", s.path("sandbox.toml"))
	s.eventually("starting", func() bool { return strings.Contains(s.log(), "starting") })
	s.write("another-key-of-another-length-0123456789", "") // a change during the start counts as well
	require.NoError(t, os.Remove(s.path("store/backend-gate")))
	for reloads, next := range []string{"a-third-key-0123456789", ""} {
		s.eventually("reloaded", func() bool { return strings.Count(s.log(), "configuration reloaded") == reloads+1 })
		if next != "" {
			s.write(next, "")
		}
	}
	require.Equal(t, http.StatusOK, s.status("/v1/sandboxes", "a-third-key-0123456789"))
}
