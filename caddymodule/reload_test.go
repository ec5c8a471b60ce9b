package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
)

const sandboxID = "0f3c2a44-5a8e-4d4e-9f0e-2f1f6f0f9a11"

// place puts a sandbox on the backend, whose ports are those of a server on an address
// of this machine that is not loopback: sandboxes never are.
func (r *rig) place(h http.Handler) (port int) {
	r.t.Helper()
	address := ownAddress(r.t)
	ln, err := net.Listen("tcp", net.JoinHostPort(address.String(), "0"))
	require.NoError(r.t, err)
	server := httptest.NewUnstartedServer(h)
	require.NoError(r.t, server.Listener.Close())
	server.Listener = ln
	server.Start()
	r.t.Cleanup(server.Close)
	r.fake.Address = address
	require.NoError(r.t, r.fake.Place(lifecycle.Spec{ID: sandboxID, Image: "demo", Entrypoint: []string{"sleep"}, Timeout: time.Hour}))
	return ln.Addr().(*net.TCPAddr).Port
}

func ownAddress(t *testing.T) netip.Addr {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		ip, err := netip.ParsePrefix(a.String())
		if err == nil && ip.Addr().Is4() && !ip.Addr().IsLoopback() && !ip.Addr().IsLinkLocalUnicast() {
			return ip.Addr()
		}
	}
	t.Fatal("this machine has no address but loopback, so a sandbox cannot be imitated")
	return netip.Addr{}
}

// ticker streams a line per request for one on the channel, until it is closed.
func ticker(lines <-chan string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					return
				}
				_, _ = io.WriteString(w, line+"\n")
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
}

func TestReloadKeepsStateAndStreams(t *testing.T) {
	r := newRig(t)
	lines := make(chan string)
	port := r.place(ticker(lines))
	r.load(r.toml(testKey))
	first := pooledState()
	known := first.edge().parts.source

	resp, err := http.Get(fmt.Sprintf("http://%s/sandboxes/%s/proxy/%d/", r.addr, sandboxID, port)) //nolint:noctx // ends with the server
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	stream := bufio.NewScanner(resp.Body)

	for i := range 5 {
		key := fmt.Sprintf("another-key-of-reload-%d", i)
		r.load(r.toml(key))
		require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/v1/sandboxes", keyHeader(key)).status)
		require.Equal(t, http.StatusUnauthorized, r.do(http.MethodGet, "/v1/sandboxes", keyHeader(testKey)).status)
		lines <- fmt.Sprint("after reload ", i)
		require.True(t, stream.Scan(), "the stream goes on: %v", stream.Err())
		require.Equal(t, fmt.Sprint("after reload ", i), stream.Text())
		require.Same(t, first, pooledState())
		require.Same(t, known, pooledState().edge().parts.source)
	}
	close(lines)
	require.False(t, stream.Scan())
	require.NoError(t, stream.Err(), "the stream ends in its own time")
	require.EqualValues(t, 1, r.fake.opened.Load())
	require.Zero(t, r.fake.closed.Load())
	require.Contains(t, r.do(http.MethodGet, "/v1/sandboxes", keyHeader("another-key-of-reload-4")).body, sandboxID)
}

// A request that came in over a connection of the old configuration is decided by the
// keys of the new one (threat row A8).
func TestOldHandlersUseTheNewKeys(t *testing.T) {
	r := newRig(t)
	r.load(r.toml(testKey))
	running, err := caddy.ActiveContext().App("http")
	require.NoError(t, err)
	// net/http hands over what it had read when the configuration was stopped.
	old := running.(*caddyhttp.App).Servers["opensandbox"]
	list := func(key string) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.addr+"/v1/sandboxes", http.NoBody)
		req.Header.Set("OPEN-SANDBOX-API-KEY", key)
		w := httptest.NewRecorder()
		old.ServeHTTP(w, req)
		return w.Code
	}
	require.Equal(t, http.StatusOK, list(testKey))
	r.load(r.toml("another-key-0123456789"))
	require.Equal(t, http.StatusUnauthorized, list(testKey))
	require.Equal(t, http.StatusOK, list("another-key-0123456789"))
}

func TestARefusedReloadKeepsTheRunningState(t *testing.T) {
	for name, c := range map[string]struct{ change, want string }{
		"another store":          {"store", "store.path"},
		"another runtime":        {"runtime", "runtime.type"},
		"a broken file":          {"broken", "Invalid configuration"},
		"a port in use":          {"port", "address already in use"},
		"the key of the example": {"example", "everybody knows"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			path := r.toml(testKey)
			r.load(path)
			first := pooledState()
			references, _ := states.References(stateKey)

			adapted := r.adapt(path)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			body := string(text)
			switch c.change {
			case "store":
				body = replaceOnce(t, body, "store.db", "other.db")
			case "runtime":
				body = replaceOnce(t, body, `type = "kubernetes"`, `type = "docker"`)
			case "broken":
				body = replaceOnce(t, body, "[runtime]", "[runtim]")
			case "example":
				body = replaceOnce(t, body, testKey, config.ExampleKey)
			case "port":
				taken, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				defer taken.Close()
				body = replaceOnce(t, body, testKey, "a-key-that-never-counts")
				adapted = []byte(replaceOnce(t, string(adapted), `"opensandbox/`+r.addr+`"`, `"opensandbox/`+r.addr+`","opensandbox/`+taken.Addr().String()+`"`))
			}
			require.NoError(t, os.WriteFile(path, []byte(body), 0o600))
			err = caddy.Load(adapted, true)
			require.ErrorContains(t, err, c.want)

			require.Same(t, first, pooledState())
			now, _ := states.References(stateKey)
			require.Equal(t, references, now, "what the refused configuration took, it gave back")
			require.Zero(t, r.fake.closed.Load())
			require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/v1/sandboxes", keyHeader(testKey)).status)
			require.Equal(t, testKey, first.edge().settings.keys[0].Key.Reveal())
		})
	}
}

func replaceOnce(t *testing.T, text, old, with string) string {
	t.Helper()
	before, after, ok := strings.Cut(text, old)
	require.True(t, ok, "%q is not in the text", old)
	return before + with + after
}

func TestNotReadyIs503(t *testing.T) {
	r := newRig(t)
	r.fake.gate = make(chan struct{})
	r.fake.fail.Store(true)
	require.NoError(t, caddy.Load(r.adapt(r.toml(testKey)), true))
	for _, target := range []string{"/v1/sandboxes", "/health", "/sandboxes/" + sandboxID + "/proxy/80/"} {
		got := r.do(http.MethodGet, target, keyHeader(testKey))
		require.Equal(t, http.StatusServiceUnavailable, got.status, target)
		require.NotEmpty(t, got.header.Get("Retry-After"))
	}
	require.Equal(t, http.StatusUnauthorized, r.do(http.MethodGet, "/v1/sandboxes").status, "the key is demanded all the same")
	close(r.fake.gate)
	require.Eventually(t, func() bool { return r.fake.opened.Load() > 1 }, wait, tick, "a backend that is down is tried again")
	r.fake.fail.Store(false)
	r.ready()
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/v1/sandboxes", keyHeader(testKey)).status)
}

func TestStoppingWhileTheBackendIsDown(t *testing.T) {
	r := newRig(t)
	r.fake.gate = make(chan struct{}) // never opened: closing the state ends the attempt
	require.NoError(t, caddy.Load(r.adapt(r.toml(testKey)), true))
	require.Eventually(t, func() bool { return r.fake.opened.Load() == 1 }, wait, tick)
	require.NoError(t, caddy.Stop())
	require.Nil(t, pooledState())
}

func TestAKeyIsDemandedUnlessDeclared(t *testing.T) {
	r := newRig(t)
	path := r.toml("")
	require.ErrorContains(t, caddy.Load(r.adapt(path), true), "no API key")

	loaded, err := config.Load(config.Options{Path: path})
	require.NoError(t, err)
	adapted, err := Adapt(loaded, InsecureConfirmed)
	require.NoError(t, err)
	require.NoError(t, caddy.Load(adapted, true))
	r.ready()
	require.Equal(t, http.StatusOK, r.do(http.MethodGet, "/v1/sandboxes").status)
	got := r.do(http.MethodGet, "/v1/sandboxes", "Origin: https://evil.example")
	require.Equal(t, http.StatusForbidden, got.status, "no page of another origin may use a server without key")
}

func TestMetricsGoOnOverReloads(t *testing.T) {
	r := newRig(t)
	port := r.place(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	metrics := free.Addr().String()
	require.NoError(t, free.Close())
	path := r.toml(testKey, fmt.Sprintf("[metrics]\nlisten = %q\n[renew_intent]\nenabled = true", metrics))
	text := replaceOnce(t, readFile(t, path), "[server]", "[server]\nlimit_concurrency = 1")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	for range 3 {
		r.load(path)
		r.overload()
		r.do(http.MethodGet, fmt.Sprintf("/sandboxes/%s/proxy/%d/", sandboxID, port))
	}
	resp, err := http.Get("http://" + metrics + "/metrics") //nolint:noctx // local
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `opensandbox_proxy_requests_total{class="2xx",form="direct"} 3`)
	require.Contains(t, string(body), "opensandbox_build_info")
	require.Contains(t, string(body), "opensandbox_api_requests_rejected_total 3")
	require.Contains(t, string(body), "opensandbox_api_requests_in_flight 0")
	require.Contains(t, string(body), "opensandbox_renew_queue_length 0")
	require.Contains(t, string(body), "fake_backend_calls_total 7", "a runtime's own metrics are there")
	require.Contains(t, string(body), "opensandbox_directory_entries 1")
	require.NotContains(t, string(body), sandboxID)
	require.Equal(t, http.StatusUnauthorized, r.do(http.MethodGet, "/metrics").status, "not on the API's listener")
	for _, path := range []string{"/", "/METRICS", "/metrics/", "//metrics", "/x/../metrics", "/metrics.json", "/debug/pprof"} {
		resp, err := http.Get("http://" + metrics + path) //nolint:noctx // local
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNotFound, resp.StatusCode, path)
	}
}

// Once a reload has returned, a new connection is the new configuration's. Were it the
// old one's, its first request could be dropped.
func TestNewConnectionsAreTheNewConfigurations(t *testing.T) {
	r := newRig(t)
	path := r.toml(testKey)
	r.load(path)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for i := range 50 {
		r.load(path)
		resp, err := client.Get("http://" + r.addr + "/health") //nolint:noctx // local
		require.NoError(t, err, "after reload %d", i)
		require.NoError(t, resp.Body.Close())
	}
}

// overload sends one API request too many while another is held in its body.
func (r *rig) overload() {
	r.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(r.t.Context(), "tcp", r.addr)
	require.NoError(r.t, err)
	_, err = fmt.Fprintf(conn, "POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOPEN-SANDBOX-API-KEY: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", testKey)
	require.NoError(r.t, err)
	head := make([]byte, len("HTTP/1.1 100"))
	_, err = io.ReadFull(conn, head) // the handler reads the body
	require.NoError(r.t, err)
	require.Equal(r.t, "HTTP/1.1 100", string(head))
	got := r.do(http.MethodGet, "/v1/sandboxes", keyHeader(testKey))
	require.Equal(r.t, http.StatusServiceUnavailable, got.status)
	require.Contains(r.t, got.body, "GENERAL::SERVER_OVERLOADED")
	require.Equal(r.t, http.StatusOK, r.do(http.MethodGet, "/health").status, "probes get through")
	_, err = io.WriteString(conn, "{}")
	require.NoError(r.t, err)
	_, err = io.Copy(io.Discard, conn)
	require.NoError(r.t, err)
	require.NoError(r.t, conn.Close())
}
