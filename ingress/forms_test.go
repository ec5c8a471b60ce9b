package ingress_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestEveryFormReachesTheSandbox(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	for _, f := range forms("8080") {
		t.Run(f.name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
				res, body := e.do(t, f.request(t, e, method, "/a?b=1", nil))
				require.Equal(t, 200, res.StatusCode, body)
				require.Equal(t, method, got.last(t).Method)
				require.Equal(t, "/a?b=1", got.last(t).RequestURI)
				require.NotEmpty(t, res.Header.Get("X-Request-ID"))
			}
		})
	}
	require.EqualValues(t, 4*8, e.touches.Load())
}

func TestPathAndQueryAreByteExact(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	for _, f := range forms("8080") {
		for _, target := range []string{
			"/", "/a/", "/a%2Fb/%7Ec/~d/%20e%3Fq", "/a/../b/./c", "/?", "/?x", "/?a=%20+b&a=2&&b=;c", "/%2e%2e/x",
			"//a//b/", "//", "/a?b?c=/../", "/*", "/a:b@c;d=e,f!$&'()", "/[x]",
			"/\"{x}|^`\xc3\xa9<>", // no URL should hold these bytes, yet clients send them
		} {
			head := "GET " + f.prefix + target + " HTTP/1.1\r\nHost: " + f.host + "\r\nConnection: close\r\n"
			if f.header != "" {
				head += "OpenSandbox-Ingress-To: " + f.header + "\r\n"
			}
			res, body := e.raw(t, head+"\r\n")
			require.Equal(t, 200, res.StatusCode, "%s %s: %s", f.name, target, body)
			require.Equal(t, target, got.last(t).RequestURI, f.name)
		}
	}
	// Routes without anything behind the port lead to the root.
	for _, prefix := range []string{"/sandboxes/" + id + "/proxy/8080", "/v1/sandboxes/" + id + "/proxy/8080", "/" + id + "/8080"} {
		res, _ := e.raw(t, "GET "+prefix+"?q=1 HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, "/?q=1", got.last(t).RequestURI)
	}
}

func TestAHostileHTTP2QueryDoesNotEndTheRequestLine(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	r := direct("8080").request(t, e, "GET", "/", nil)
	r.URL.RawQuery = "a"
	h, _ := newHandlerBehindAuth(t, e)
	r.RequestURI = "/sandboxes/" + id + "/proxy/8080/?a HTTP/1.1 x"
	r.URL.RawQuery = "a HTTP/1.1 x"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, 400, w.Code, w.Body)
	require.Equal(t, ingress.CodeBadQuery, code(t, w.Body.String()))
	require.Zero(t, got.count())
}

// newHandlerBehindAuth serves the edge's sandboxes without a listener.
func newHandlerBehindAuth(t testing.TB, e *edge) (http.Handler, *ingress.Handler) {
	t.Helper()
	table, err := route.NewTable(route.Settings{APIHosts: []string{host}, WildcardBase: base, URI: true, Header: true})
	require.NoError(t, err)
	keys := auth.NewKeys()
	h, err := ingress.New(ingress.Options{Directory: e, Upstreams: e.upstreams, Table: table, Keys: keys, Core: core})
	require.NoError(t, err)
	a, err := auth.New(auth.Options{Table: table, Keys: keys})
	require.NoError(t, err)
	return behind(a, h), h
}

func TestFailsClosed(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	protected, bare := newHandlerBehindAuth(t, e)

	w := httptest.NewRecorder()
	bare.ServeHTTP(w, httptest.NewRequest("GET", "/sandboxes/"+id+"/proxy/8080/", nil))
	require.Equal(t, 500, w.Code, "no authentication ran")

	r := httptest.NewRequest("GET", "http://"+host+"/health", nil)
	r.RequestURI = "/health"
	w = httptest.NewRecorder()
	protected.ServeHTTP(w, r)
	require.Equal(t, 404, w.Code, "not a sandbox route")
	require.Zero(t, got.count())
}

func TestResolution(t *testing.T) {
	e := newEdge(t, func(o *ingress.Options) { o.CodePrefix = "KUBERNETES" })
	for _, c := range []struct {
		state      lifecycle.State
		status     int
		code       string
		retryAfter bool
	}{
		{lifecycle.Pending, 503, "KUBERNETES::SANDBOX_NOT_READY", true},
		{lifecycle.Resuming, 503, "KUBERNETES::SANDBOX_NOT_READY", true},
		{lifecycle.Unknown, 503, "KUBERNETES::SANDBOX_NOT_READY", true},
		{"Allocated", 503, "KUBERNETES::SANDBOX_NOT_READY", true},
		{lifecycle.Running, 503, "KUBERNETES::SANDBOX_NOT_READY", true}, // without an address
		{lifecycle.Pausing, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", true},
		{lifecycle.Paused, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", true},
		{lifecycle.Stopping, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", false},
		{lifecycle.Terminated, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", false},
		{lifecycle.Failed, 409, "KUBERNETES::SANDBOX_NOT_RUNNING", false},
	} {
		_, err := e.Publish(lifecycle.Entry{ID: id, State: c.state})
		require.NoError(t, err)
		for _, f := range forms("8080") {
			res, body := e.do(t, f.request(t, e, "POST", "/", strings.NewReader("x")))
			require.Equal(t, c.status, res.StatusCode, c.state)
			require.Equal(t, c.code, code(t, body))
			require.Equal(t, c.retryAfter, res.Header.Get("Retry-After") != "")
		}
	}
	e.Remove(id, lifecycle.ErrGone)
	res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 404, res.StatusCode)
	require.Equal(t, "KUBERNETES::SANDBOX_NOT_FOUND", code(t, body))
	require.Zero(t, e.touches.Load(), "nothing was granted")
}

// A path that merely looks signed belongs to the application, which sees it whole.
func TestURIPathsThatLookSignedAreForwarded(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, "my-sandbox", got.handler, 8080)
	f := form{host: host, prefix: "/my-sandbox/8080"}
	for _, target := range []string{
		"/static/deadbeef1/app.js", "/2024/12345678a", "/2024/12345678a/", "/x2qxvk/8b6de077a/v1?q=%20", "/0/8b6de077a//a/../b%2F",
	} {
		res, body := e.raw(t, "GET "+f.prefix+target+" HTTP/1.1\r\nHost: "+f.host+"\r\nConnection: close\r\n\r\n")
		require.Equal(t, 200, res.StatusCode, body)
		require.Equal(t, target, got.last(t).RequestURI)
		require.Equal(t, f.prefix, got.last(t).Header.Get("X-Forwarded-Prefix"))
	}
	require.EqualValues(t, 5, e.touches.Load())

	res, body := e.do(t, form{host: host, prefix: "/other/8080"}.request(t, e, "GET", "/2024/12345678a", nil))
	require.Equal(t, 404, res.StatusCode, body)
}

func TestConnectAndTraceStopAtTheEdge(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	for _, f := range forms("8080") {
		for _, method := range []string{"CONNECT", "TRACE"} {
			res, _ := e.raw(t, method+" "+f.prefix+"/ HTTP/1.1\r\nHost: "+f.host+"\r\nOpenSandbox-Ingress-To: "+f.header+"\r\nContent-Length: 0\r\n\r\n")
			require.Equal(t, 405, res.StatusCode, "%s %s", f.name, method)
		}
	}
	require.Zero(t, got.count())
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := ingress.NewMetrics(reg)
	require.NoError(t, err)
	require.NoError(t, m.Register(reg), "again is no error")
	require.NoError(t, m.Register(prometheus.NewRegistry()), "a later configuration's registry")

	e := newEdge(t, func(o *ingress.Options) { o.Metrics = m })
	e.sandbox(t, id, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 1000)) }, 8080)
	for _, f := range forms("8080") {
		e.do(t, f.request(t, e, "POST", "/", strings.NewReader("12345")))
	}
	// the sandbox has no such port
	e.do(t, direct("9").request(t, e, "GET", "/", nil))
	require.Eventually(t, func() bool { return gather(t, reg, "opensandbox_proxy_requests_in_flight") == 0 }, eventually, tick)
	require.EqualValues(t, 20, gather(t, reg, "opensandbox_proxy_bytes_total", "received"))
	require.EqualValues(t, 4000, gather(t, reg, "opensandbox_proxy_bytes_total", "sent"))
	for _, form := range []string{"direct", "wildcard", "uri", "header"} {
		require.EqualValues(t, 1, gather(t, reg, "opensandbox_proxy_requests_total", form, "2xx"), form)
	}
	require.EqualValues(t, 1, gather(t, reg, "opensandbox_proxy_requests_total", "direct", "5xx"))
}

// gather reads one counter or gauge that has all the given label values.
func gather(t testing.TB, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			values := map[string]bool{}
			for _, l := range m.GetLabel() {
				values[l.GetValue()] = true
				require.NotContains(t, l.GetValue(), id)
			}
			if !containsAll(values, labels) {
				continue
			}
			if c := m.GetCounter(); c != nil {
				return c.GetValue()
			}
			return m.GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s %v", name, labels)
	return 0
}

func containsAll(set map[string]bool, want []string) bool {
	for _, w := range want {
		if !set[w] {
			return false
		}
	}
	return true
}
