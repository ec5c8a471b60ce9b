package caddymodule

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// The view has ids, states and ages, and no token, address or metadata (threat row X10).
func TestAdminView(t *testing.T) {
	r := newRig(t)
	port := r.place(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	socket := filepath.Join(r.dir, "admin.sock")
	path := r.toml(testKey)
	require.NoError(t, r.caddyfile(`{
	admin unix/`+socket+`|0600
	persist_config off
	auto_https off
	storage_check off
	storage_clean_interval off
	log {
		output discard
		format opensandbox
	}
	opensandbox {
		config `+path+`
		api_key seeded-second-key-0123
	}
}
http://`+r.addr+` {
	bind opensandbox/127.0.0.1
	opensandbox_auth
	opensandbox_lifecycle
	opensandbox_ingress
}`))
	r.ready()
	r.do(http.MethodGet, "/sandboxes/"+sandboxID+"/proxy/"+itoa(port)+"/")

	info, err := os.Stat(socket)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	get := func(method, target string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://admin"+target, http.NoBody)
		require.NoError(t, err)
		req.Host = ""
		resp, err := client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	status, body := get(http.MethodGet, "/opensandbox/")
	require.Equal(t, http.StatusOK, status, body)
	var view adminView
	require.NoError(t, json.Unmarshal([]byte(body), &view))
	require.True(t, view.Ready)
	require.Equal(t, 1, view.Total)
	require.Equal(t, sandboxID, view.Sandboxes[0].ID)
	require.Equal(t, lifecycle.Running, view.Sandboxes[0].State)
	require.NotZero(t, view.Sandboxes[0].Generation)
	for _, secret := range []string{testKey, "seeded-second-key-0123", r.fake.Address.String(), "demo", "sleep"} {
		require.NotContains(t, body, secret)
	}
	status, _ = get(http.MethodPost, "/opensandbox/")
	require.Equal(t, http.StatusMethodNotAllowed, status)
	status, _ = get(http.MethodGet, "/opensandbox/else")
	require.Equal(t, http.StatusNotFound, status)

	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/v1/sandboxes", keyHeader("seeded-second-key-0123")).status)
}

func TestAdminViewBeforeThereIsAState(t *testing.T) {
	require.Equal(t, adminView{Version: "dev", Sandboxes: []adminSandbox{}, Pools: []adminPool{}}, viewOf(nil, at))
}
