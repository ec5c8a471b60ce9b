package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExitCodes(t *testing.T) {
	t.Run("port in use", func(t *testing.T) {
		s := newServer(t)
		taken, err := net.Listen("tcp", s.addr)
		require.NoError(t, err)
		defer taken.Close()
		s.write(key, "")
		s.start()
		require.Equal(t, 1, s.exit())
		require.Contains(t, s.log(), "address already in use")
		require.NoFileExists(t, s.path("store/edge.db"), "nothing was touched")
	})
	t.Run("no key", func(t *testing.T) {
		s := newServer(t)
		s.write("", "")
		s.start()
		require.Equal(t, 1, s.exit())
		require.Contains(t, s.log(), "Startup blocked")
	})
	t.Run("backend down", func(t *testing.T) {
		s := newServer(t)
		s.write(key, "")
		require.NoError(t, os.WriteFile(s.path("store/backend-down"), nil, 0o600))
		s.start()
		require.Equal(t, 3, s.exit())
		require.Contains(t, s.log(), "the backend is down")
		require.NotContains(t, s.log(), "goroutine")
	})
	t.Run("caddy start", func(t *testing.T) {
		s := newServer(t)
		s.start("caddy", "start")
		require.NotZero(t, s.exit())
	})
	t.Run("caddy validate", func(t *testing.T) {
		s := newServer(t)
		s.start("caddy", "validate", "--config", "../../Caddyfile.example", "--adapter", "caddyfile")
		require.Zero(t, s.exit(), s.log())
		require.Contains(t, s.log(), "Valid configuration")
	})
	t.Run("caddy adapt", func(t *testing.T) {
		s := newServer(t)
		s.write(key, "")
		s.start("caddy", "adapt", "--config", s.path("sandbox.toml"), "--adapter", "sandbox_toml")
		require.Zero(t, s.exit(), s.log())
		require.Contains(t, s.log(), "opensandbox_auth")
		require.NotContains(t, s.log(), key)
	})
}

// A second signal does not wait for a request that will not end; without it the bound does.
func TestSecondSignalExitsAtOnce(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	s.start()
	s.serving()
	// A request whose body never comes is inside the API handler.
	conn, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nOPEN-SANDBOX-API-KEY: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", key)
	require.NoError(t, err)
	answer := make([]byte, 12)
	_, err = io.ReadFull(conn, answer) // "100 Continue": the handler reads the body
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100", string(answer))

	s.signal(syscall.SIGTERM)
	s.eventually("stopping", func() bool { return strings.Contains(s.log(), "stopping") })
	s.signal(syscall.SIGTERM) // an echo, as some supervisors make
	select {
	case <-s.done:
		require.Fail(t, "the server did not wait for the request", s.log())
	case <-time.After(300 * time.Millisecond): // it has every chance to leave too early
	}
	s.signal(syscall.SIGINT)
	require.Equal(t, 128+int(syscall.SIGINT), s.exit())
}
