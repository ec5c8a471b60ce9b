package ingress_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

const other = "11111111-4e5f-6071-8293-a4b5c6d7e8f9"

// cachable says whose answer it is and that everybody may keep it.
func cachable(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=600, immutable")
		w.Header().Set("X-Accel-Expires", "600")
		w.Header().Set("Vary", "Accept-Language")
		_, _ = fmt.Fprintf(w, "%s %s", name, r.URL.RawQuery)
	}
}

// securedEdge has one sandbox that demands an access token, and an open one.
func securedEdge(t *testing.T) (e *edge, signed []form) {
	t.Helper()
	policy := signing(t)
	e = newEdge(t, withKeys(policy))
	s := e.sandbox(t, id, cachable("secured"))
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, SecureSum: tokenSum(accessToken)}, s.Listener.Addr(), 8080)
	e.sandbox(t, other, cachable("open"), 8080)
	r, g := policy.Keys.Mint(id, 8080, uint64(time.Now().Add(time.Hour).Unix()))
	return e, signedForms(8080, r.Expires, g)
}

// What a credential opened is not for shared caches, and answers on header routes depend on
// more than their URL (threat row C6); a signed address is not for other origins (A6).
func TestAnswersForOneClient(t *testing.T) {
	e, signed := securedEdge(t)
	get := func(f form, header ...string) http.Header {
		r := f.request(t, e, "GET", "/", nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, body := e.do(t, r)
		require.Equal(t, 200, res.StatusCode, body)
		return res.Header
	}
	for _, f := range forms("8080") {
		h := get(f, "OpenSandbox-Secure-Access", accessToken)
		require.Equal(t, []string{"private, max-age=600, immutable"}, h["Cache-Control"], f.name)
		require.NotContains(t, h, "X-Accel-Expires")
		require.NotContains(t, h, "Referrer-Policy", "the address tells nothing")

		f.host, f.prefix, f.header = strings.ReplaceAll(f.host, id, other), strings.ReplaceAll(f.prefix, id, other), strings.ReplaceAll(f.header, id, other)
		h = get(f)
		require.Equal(t, []string{"public, max-age=600, immutable"}, h["Cache-Control"], "the application's own business")
		vary := strings.Join(h["Vary"], ", ")
		require.Contains(t, vary, "Accept-Language")
		for _, name := range []string{"OpenSandbox-Ingress-To", "OPEN-SANDBOX-INGRESS", "OpenSandbox-Secure-Access"} {
			require.Equal(t, f.name == "header" || f.name == "uri", strings.Contains(vary, name), "%s %s", f.name, name)
		}
	}
	for _, f := range signed {
		h := get(f)
		require.Equal(t, []string{"private, max-age=600, immutable"}, h["Cache-Control"], f.name)
		require.Equal(t, []string{"same-origin"}, h["Referrer-Policy"], f.name)
	}
}

// A cache in front, a real one, gives nobody what another one's credential opened, and on
// header routes no sandbox's answer for another's.
func TestBehindARealCache(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("SKIPPED: no nginx on this machine, so no real cache stands in front of the edge")
	}
	e, signed := securedEdge(t)
	cache := startCache(t, nginx, strings.TrimPrefix(e.url, "http://"))
	get := func(f form, query string, header ...string) (status int, body, state string) {
		r := f.request(t, e, "GET", "/page?"+query, nil)
		r.URL.Host = cache
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		res, body := e.do(t, r)
		return res.StatusCode, body, res.Header.Get("X-Cache")
	}
	openForm := form{host: host, header: other + "-8080"}
	_, body, state := get(openForm, "warm")
	require.Equal(t, "open warm", body)
	require.Equal(t, "MISS", state)
	_, _, state = get(openForm, "warm")
	require.Equal(t, "HIT", state, "the cache does cache")

	// One URL, two sandboxes, on routes of one form and of two.
	_, body, _ = get(form{host: host, prefix: "/" + other + "/8080"}, "both")
	require.Equal(t, "open both", body)
	_, body, _ = get(form{host: host, prefix: "/" + other + "/8080", header: id + "-8080"}, "both", "OpenSandbox-Secure-Access", accessToken)
	require.Equal(t, "secured both", body)
	status, body, state := get(form{host: host, header: id + "-8080"}, "warm", "OpenSandbox-Secure-Access", accessToken)
	require.Equal(t, 200, status)
	require.Equal(t, "secured warm", body)
	require.Equal(t, "MISS", state)

	for i, f := range forms("8080") {
		query := fmt.Sprint("token", i)
		for range 2 {
			status, body, state = get(f, query, "OpenSandbox-Secure-Access", accessToken)
			require.Equal(t, 200, status)
			require.Equal(t, "secured "+query, body)
			require.Equal(t, "MISS", state, "%s: it is not kept", f.name)
		}
		status, body, _ = get(f, query)
		require.Equal(t, 401, status, "%s: %s", f.name, body)
	}
	for i, f := range signed {
		for range 2 {
			status, _, state = get(f, fmt.Sprint("signed", i))
			require.Equal(t, 200, status)
			require.Equal(t, "MISS", state, f.name)
		}
	}
}

// startCache runs nginx as a caching proxy in front of an address, and returns its own.
func startCache(t *testing.T, nginx, upstream string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`
daemon off; master_process off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/temp;
  fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
  proxy_cache_path %[1]s/cache keys_zone=z:1m;
  server {
    listen %[2]s;
    location / {
      proxy_pass http://%[3]s;
      proxy_set_header Host $http_host;
      proxy_cache z; proxy_cache_key $http_host$request_uri;
      add_header X-Cache $upstream_cache_status always;
    }
  }
}
`, dir, address, upstream)
	require.NoError(t, os.WriteFile(conf, []byte(text), 0o600))
	c := exec.Command(nginx, "-c", conf, "-p", dir, "-e", filepath.Join(dir, "error.log"))
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, eventually, tick)
	return address
}
