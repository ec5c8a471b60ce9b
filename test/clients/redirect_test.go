//go:build clients

package clients

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// TestARedirectingSandboxGetsNoKey runs a real sandbox that answers every request with a
// redirect, and a real client that follows redirects and sends its headers along
// (threat row C1). The collector is where the key would arrive.
func TestARedirectingSandboxGetsNoKey(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: no node on this machine to run a redirect-following client with")
	}
	var collected atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		collected.Add(1)
		t.Errorf("the collector got %s %s with key %q", r.Method, r.URL, r.Header.Get("OPEN-SANDBOX-API-KEY"))
	}))
	defer collector.Close()

	s, err := edge.New(edge.Options{
		Binary: os.Getenv("EDGE_SERVER"), ExecdImg: os.Getenv("EDGE_EXECD_IMAGE"),
		DemoImage: os.Getenv("EDGE_DEMO_IMAGE"), Dir: t.TempDir(), Ingress: ingress["header"],
	})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.Kill()
		require.NoError(t, s.RemoveContainers(ctx))
	})
	const refused = "BACKEND_REDIRECT_REFUSED"
	// Below the direct route's prefix a root-relative target is kept inside the route, so
	// that the sandbox redirects its caller to itself until the caller gives up.
	const inside = "redirect count exceeded"
	for location, want := range map[string]struct{ direct, header string }{
		collector.URL + "/stolen":                        {refused, refused},
		"//" + collector.Listener.Addr().String() + "/x": {refused, refused},
		"/v1/sandboxes":                                  {inside, refused},
		"/./v1/sandboxes":                                {inside, refused},
	} {
		// A shell as web server: it reads the request line, and answers.
		script := fmt.Sprintf(`printf '#!/bin/sh\nread request\nprintf "HTTP/1.1 307 Temporary Redirect\\r\\nLocation: %s\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"\n' > /tmp/answer
chmod +x /tmp/answer; exec nc -ll -p 8080 -e /tmp/answer`, location)
		r := edge.CreateRequest{Entrypoint: []string{"sh", "-c", script}, Timeout: 120}
		r.Image.URI = s.DemoImage
		sandbox, err := s.Create(t.Context(), r)
		require.NoError(t, err)
		for _, form := range []struct{ url, route, want string }{
			{fmt.Sprintf("http://%s/v1/sandboxes/%s/proxy/8080/", s.Addr, sandbox.ID), "", want.direct},
			{"http://" + s.Addr + "/", sandbox.ID + "-8080", want.header},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			require.NoError(t, edge.Until(ctx, func() error {
				out, err := exec.CommandContext(ctx, node, "redirect.mjs", form.url, s.Key, form.route).CombinedOutput()
				switch {
				case err != nil:
					return edge.Final(fmt.Errorf("%w: %s", err, out))
				case strings.Contains(string(out), form.want):
					return nil
				case strings.Contains(string(out), "BACKEND_CONNECTION_FAILED"):
					// The sandbox's own server needs a moment after execd answered.
					return fmt.Errorf("not up yet: %s", out)
				}
				return edge.Final(fmt.Errorf("%+v redirected to %s ended at: %s", form, location, out))
			}))
			cancel()
		}
		require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	}
	require.Zero(t, collected.Load())
}
