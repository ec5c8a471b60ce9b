package caddymodule

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConnectionsPerClientFollowTheFile(t *testing.T) {
	r := newRig(t)
	path := r.toml(testKey)
	edit(t, path, `host = "127.0.0.1"`, "host = \"127.0.0.1\"\nmax_connections_per_client = 2")
	r.load(path)
	hold := func(from string) net.Conn {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(t.Context(), "tcp", r.addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(wait)))
		_, err = io.WriteString(c, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
		if err != nil {
			return nil
		}
		if _, err = c.Read(make([]byte, 1)); err != nil {
			return nil
		}
		return c
	}
	require.NotNil(t, hold("127.0.0.5"))
	require.NotNil(t, hold("127.0.0.5"))
	require.Nil(t, hold("127.0.0.5"), "the third is closed")
	require.Equal(t, http.StatusOK, r.do("GET", "/health").status, "another client has its own")

	edit(t, path, "max_connections_per_client = 2", "max_connections_per_client = 3")
	r.load(path)
	require.NotNil(t, hold("127.0.0.5"), "a reload is enough")
	edit(t, path, "max_connections_per_client = 3", "max_connections_per_client = 1\ntrusted_proxies = [\"127.0.0.5\"]")
	r.load(path)
	require.NotNil(t, hold("127.0.0.5"), "trusted proxies stand for many clients")
}
