package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Both pages render in a browser under their policy, and nothing in the URL makes
// Swagger UI read another document.
func TestPagesInABrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: the documentation pages in a browser, because chromium is not installed (apt-get install chromium)")
	}
	e := newEdge(t)
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		e.handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	for path, text := range map[string]string{
		"/docs?url=" + server.URL + "/elsewhere.json&configUrl=" + server.URL + "/elsewhere.json": `<span class="opblock-summary-path" data-path="/v1/sandboxes">`,
		"/redoc": "Create a sandbox",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		page := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
			"--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom", server.URL+path)
		var console safeBuffer
		page.Stderr = &console
		dom, err := page.Output()
		require.NoError(t, err, console.String())
		require.Contains(t, string(dom), text, path)
		require.NotContains(t, console.String(), "Applying inline style violates", path)
		require.NotContains(t, console.String(), "script-src", path)
		require.NotContains(t, console.String(), "Uncaught", path)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, asked, "/openapi.json")
	require.NotContains(t, asked, "/elsewhere.json")
}
