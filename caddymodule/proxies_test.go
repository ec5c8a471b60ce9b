package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// One list of trusted proxies serves access lines and endpoint answers, and a reload
// changes it (threat row B5).
func TestTrustedProxiesOfTheFile(t *testing.T) {
	r := newRig(t)
	r.place(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r.load(r.toml(testKey))

	endpoint := func(client string) string {
		got := r.do("GET", "/v1/sandboxes/"+sandboxID+"/endpoints/8080", keyHeader(testKey),
			"X-Forwarded-For: 6.6.6.6, "+client, "X-Forwarded-Host: public.example.com:8443")
		require.Equal(t, 200, got.status, got.body)
		return got.body
	}
	logged := func() string {
		lines, err := os.ReadFile(filepath.Join(r.dir, "access.log"))
		require.NoError(t, err)
		return string(lines)
	}
	require.Contains(t, endpoint("203.0.113.1"), r.addr)
	require.NotContains(t, logged(), "203.0.113.1")

	path := r.toml(testKey)
	edit(t, path, "[runtime]", "trusted_proxies = [\"127.0.0.0/8\", \"unix\"]\n[runtime]")
	r.load(path)
	require.Contains(t, endpoint("203.0.113.2"), "public.example.com:8443/v1/sandboxes/"+sandboxID)
	// A connection of the old configuration may serve one more request; Caddy logs that one
	// by the list it was accepted with.
	require.Eventually(t, func() bool {
		endpoint("203.0.113.2")
		return strings.Contains(logged(), "203.0.113.2")
	}, wait, tick)
	require.NotContains(t, logged(), "6.6.6.6")
}
