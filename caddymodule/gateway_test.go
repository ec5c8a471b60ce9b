package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const controlKey = "seeded-key-of-the-control-server"

// gatewayFile is the whole file of a gateway in front of control.
func (r *rig) gatewayFile(control string) string {
	r.t.Helper()
	_, port, err := net.SplitHostPort(r.addr)
	require.NoError(r.t, err)
	path := filepath.Join(r.dir, "gateway.toml")
	require.NoError(r.t, os.WriteFile(path, fmt.Appendf(nil, `[server]
host = "127.0.0.1"
port = %s
api_key = %q
[control]
url = %q
api_key = %q
[log]
file_enabled = true
file_path = %q
access_file_path = %q
level = "DEBUG"
`, port, testKey, control, controlKey, r.log(), filepath.Join(r.dir, "access.log")), 0o600))
	return path
}

// TestAGatewayIsReadyWithItsFirstSnapshot: until then it does not know what exists
// (contract 04 D21), and it never opens what belongs to a lifecycle server (threat row K11).
func TestAGatewayIsReadyWithItsFirstSnapshot(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer app.Close()
	gate := make(chan struct{})
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/directory" || r.Header.Get("OPEN-SANDBOX-API-KEY") != controlKey {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		fmt.Fprintf(w, `{"kind":"snapshot","version":1,"runtime":"kubernetes"}
{"kind":"entry","entry":{"id":%q,"state":"Running","published":{"8080":%q}}}
{"kind":"synced"}
`, sandboxID, app.Listener.Addr())
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer control.Close()
	defer control.CloseClientConnections()

	r := newRig(t)
	r.load(r.gatewayFile(control.URL))
	known, unknown := "/sandboxes/"+sandboxID+"/proxy/8080/", "/sandboxes/unknown/proxy/8080/"
	for _, path := range []string{known, unknown} {
		got := r.do(http.MethodGet, path)
		require.Equal(t, http.StatusServiceUnavailable, got.status, "404 would be a guess: %s", got.body)
		require.Contains(t, got.body, "GENERAL::NOT_READY")
	}
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/health").status)
	require.Equal(t, http.StatusServiceUnavailable, r.do(http.MethodGet, "/health/ready", keyHeader(testKey)).status)
	require.False(t, viewOf(pooledState(), time.Now()).Ready)

	close(gate)
	require.Eventually(t, func() bool { return r.do(http.MethodGet, "/health/ready", keyHeader(testKey)).status == http.StatusOK }, wait, tick)
	got := r.do(http.MethodGet, known)
	require.Equal(t, http.StatusOK, got.status, got.body)
	require.Equal(t, "hello", got.body)
	got = r.do(http.MethodGet, unknown)
	require.Equal(t, http.StatusNotFound, got.status)
	require.Contains(t, got.body, "KUBERNETES::SANDBOX_NOT_FOUND", "the codes of the lifecycle server's runtime")

	for _, path := range []string{"/v1/sandboxes", "/sandboxes/" + sandboxID, "/v1/directory", "/docs"} {
		got = r.do(http.MethodGet, path, keyHeader(testKey))
		require.Equal(t, http.StatusNotFound, got.status, path)
		require.Contains(t, got.body, "lifecycle server", path)
	}
	require.Equal(t, http.StatusUnauthorized, r.do(http.MethodGet, "/v1/sandboxes").status)
	view := viewOf(pooledState(), time.Now())
	require.True(t, view.Ready)
	require.Equal(t, 1, view.Total)

	require.Zero(t, r.fake.opened.Load(), "no runtime")
	files, err := filepath.Glob(filepath.Join(r.dir, "*.db*"))
	require.NoError(t, err)
	require.Empty(t, files, "no store")
	families, err := pooledState().metrics.Gather()
	require.NoError(t, err)
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, name := range []string{"opensandbox_feed_age_seconds", "opensandbox_feed_entries", "opensandbox_feed_connects_total", "opensandbox_proxy_waiting"} {
		require.True(t, names[name], name)
	}
	require.NotContains(t, readFile(t, r.log()), controlKey)
}

// TestTheFeedGoesOnOverReloads: a gateway hears nothing of its server's configuration.
func TestTheFeedGoesOnOverReloads(t *testing.T) {
	r := newRig(t)
	r.place(quiet())
	r.load(r.toml(testKey))
	require.Equal(t, http.StatusUnauthorized, r.do(http.MethodGet, "/v1/directory").status)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.addr+"/v1/directory", nil)
	require.NoError(t, err)
	request.Header.Set("OPEN-SANDBOX-API-KEY", testKey)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	next := func() string {
		require.True(t, lines.Scan(), "the feed ended: %v", lines.Err())
		return lines.Text()
	}
	require.JSONEq(t, `{"kind":"snapshot","version":1,"runtime":"docker"}`, next())
	require.Contains(t, next(), sandboxID)
	require.JSONEq(t, `{"kind":"synced"}`, next())
	for i := range 3 {
		r.load(r.toml(testKey, fmt.Sprintf("[renew_intent]\nmin_interval_seconds = %d", i+7)))
		require.Contains(t, next(), `"beat"`)
	}
	require.NoError(t, pooledState().opened.source.(*lifecycleSource).Delete(t.Context(), sandboxID))
	for line := next(); line != `{"kind":"gone","id":"`+sandboxID+`"}`; line = next() {
		require.NotContains(t, line, "snapshot")
	}
}
