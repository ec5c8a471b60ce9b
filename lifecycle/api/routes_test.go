package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle/api"
)

func TestPathsThatAreNone(t *testing.T) {
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v2/sandboxes", "/v1/health", "/v1/docs", "/v1/openapi.json", "/v1/v1/sandboxes", "/healthz", "/docsfoo", "/docs/x",
		"/v1/sandboxes/a%2Fb", "/v1/sandboxes/" + id + "%2Fpause", "/v1//sandboxes", "//v1/sandboxes", "/v1/sandboxes//pause", "/V1/sandboxes",
		"/v1/Sandboxes", "/v1/%73andboxes", "/v1/sandboxes/x/endpoints", "/v1/sandboxes/x/unknown", "/v1/sandboxes/x/endpoints/80/more",
		"/v1/sandboxes/x//", "/pools/a/b", "/metrics", "/v1/status.ok",
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			e := newEdge(t)
			w := e.do(method, path, "")
			// The classifier refuses ambiguous spellings before we see them.
			if w.Code != 400 {
				wantError(t, w, 404, "GENERAL::NOT_FOUND")
			}
			require.Empty(t, e.service.calls, path)
		}
	}
}

func TestParametersAreDecodedOnce(t *testing.T) {
	e := newEdge(t)
	require.Equal(t, 200, e.do("GET", "/v1/sandboxes/a%20b%2541", "").Code)
	require.Equal(t, []string{"get a b%41"}, e.service.calls)
}

func TestTrailingSlash(t *testing.T) {
	for path, location := range map[string]string{
		"/v1/sandboxes/":                       "/v1/sandboxes",
		"/sandboxes/?state=a&metadata=b%2Fc":   "/sandboxes?state=a&metadata=b%2Fc",
		"/v1/sandboxes/" + id + "/":            "/v1/sandboxes/" + id,
		"/v1/sandboxes/a%20b/endpoints/44772/": "/v1/sandboxes/a%20b/endpoints/44772",
		"/docs/":                               "/docs",
		"/health/":                             "/health",
	} {
		e := newEdge(t)
		w := e.do("GET", path, "", header{"Host": "evil.example"})
		require.Equal(t, http.StatusTemporaryRedirect, w.Code, path)
		require.Equal(t, location, w.Header().Get("Location"), "a path, whatever Host says")
		require.Empty(t, e.service.calls)
	}
	wantError(t, newEdge(t).do("GET", "/v1/sandboxes/", "", header{"OPEN-SANDBOX-API-KEY": ""}), 401, "MISSING_API_KEY")
}

func TestWrongMethod(t *testing.T) {
	for _, tc := range []struct{ method, path, allow string }{
		{"PUT", "/v1/sandboxes", "GET, POST"},
		{"HEAD", "/v1/sandboxes", "GET, POST"},
		{"OPTIONS", "/v1/sandboxes", "GET, POST"},
		{"POST", "/v1/sandboxes/x", "DELETE, GET"},
		{"GET", "/v1/sandboxes/x/pause", "POST"},
		{"PATCH", "/pools/x", "DELETE, GET, PUT"},
		{"POST", "/health", "GET, HEAD"},
		{"DELETE", "/openapi.json", "GET, HEAD"},
		{"BREW", "/v1/sandboxes/x/metadata", "PATCH"},
	} {
		w := newEdge(t).do(tc.method, tc.path, "")
		wantError(t, w, 405, "GENERAL::METHOD_NOT_ALLOWED")
		require.Equal(t, tc.allow, w.Header().Get("Allow"))
	}
}

// Without the right key nothing else is ever found out about an API path.
func TestKeyComesFirst(t *testing.T) {
	for _, tc := range []struct{ method, path, body string }{
		{"POST", "/v1/sandboxes", "{broken"},
		{"GET", "/v1/sandboxes?page=x", ""},
		{"GET", "/v1/sandboxes/x/", ""},
		{"PUT", "/v1/sandboxes", ""},
		{"GET", "/v1/nothing", ""},
		{"GET", "/nothing", ""},
		{"GET", "/v1/health", ""},
		{"GET", "/health/ready", ""},
		{"POST", "/v1/pools", "{}"},
		{"GET", "/snapshots", ""},
		{"GET", "/v1/sandboxes/x/endpoints/0", ""},
		{"OPTIONS", "/v1/sandboxes", ""},
	} {
		for value, code := range map[string]string{"": "MISSING_API_KEY", "wrong": "INVALID_API_KEY"} {
			e := newEdge(t)
			wantError(t, e.do(tc.method, tc.path, tc.body, header{"OPEN-SANDBOX-API-KEY": value}), 401, code)
			require.Empty(t, e.service.calls)
		}
	}
}

// The handler serves the API only on a decision that clears it, whoever is in front.
func TestFailsClosed(t *testing.T) {
	apiRoutes := []struct{ method, path string }{
		{"GET", "/v1/sandboxes"}, {"DELETE", "/sandboxes/x"}, {"POST", "/v1/sandboxes"}, {"GET", "/snapshots"}, {"GET", "/v1/pools"}, {"GET", "/v1/sandboxes/"},
	}
	for name, tc := range map[string]struct {
		decision *auth.Decision
		status   int
		code     string
	}{
		"no decision":                {nil, 500, "GENERAL::UNAUTHENTICATED_ROUTE"},
		"not allowed":                {&auth.Decision{Route: route.Verdict{Class: route.API}}, 500, "GENERAL::UNAUTHENTICATED_ROUTE"},
		"decided for another class":  {&auth.Decision{Route: route.Verdict{Class: route.Public}, Allowed: true}, 500, "GENERAL::UNAUTHENTICATED_ROUTE"},
		"decided for nothing":        {&auth.Decision{Allowed: true}, 500, "GENERAL::UNAUTHENTICATED_ROUTE"},
		"decided for a sandbox host": {&auth.Decision{Route: route.Verdict{Class: route.Gateway}, Allowed: true}, 404, "GENERAL::NOT_FOUND"},
		"decided for a proxy route":  {&auth.Decision{Route: route.Verdict{Class: route.Proxy}, Allowed: true}, 404, "GENERAL::NOT_FOUND"},
		"an ambiguous request": {
			&auth.Decision{Route: route.Verdict{Class: route.API, Err: apierror.New(400, "GENERAL::INVALID_PATH", "ambiguous")}, Allowed: true}, 400, "GENERAL::INVALID_PATH",
		},
	} {
		for _, r := range apiRoutes {
			t.Run(name+" "+r.path, func(t *testing.T) {
				e := newEdge(t)
				q := httptest.NewRequest(r.method, r.path, strings.NewReader(createBody))
				if tc.decision != nil {
					q = q.WithContext(auth.NewContext(q.Context(), tc.decision))
				}
				w := httptest.NewRecorder()
				e.api.ServeHTTP(w, q)
				wantError(t, w, tc.status, tc.code)
				require.Empty(t, e.service.calls)
				require.Equal(t, tc.status == 500, strings.Count(e.log.String(), `"level":"ERROR"`) == 1, "one line for the operator: %s", e.log)
			})
		}
	}
	e := newEdge(t)
	w := httptest.NewRecorder()
	e.api.ServeHTTP(w, httptest.NewRequest("GET", "/health", nil))
	wantError(t, w, 500, "GENERAL::UNAUTHENTICATED_ROUTE")
}

func TestHandles(t *testing.T) {
	for class, want := range map[route.Class]bool{route.None: true, route.Public: true, route.API: true, route.Proxy: false, route.Gateway: false} {
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(auth.NewContext(r.Context(), &auth.Decision{Route: route.Verdict{Class: class}}))
		require.Equal(t, want, api.Handles(r))
	}
	require.True(t, api.Handles(httptest.NewRequest("GET", "/", nil)), "so that a missing decision is answered with a 500")
}

func TestRequestID(t *testing.T) {
	e := newEdge(t)
	w := e.do("GET", "/v1/sandboxes", "", header{"X-Request-ID": "e2e-1"})
	require.Equal(t, "e2e-1", w.Header().Get("X-Request-ID"))
	for _, odd := range []string{"", "two words", strings.Repeat("x", 129), "tab\there", "umläut"} {
		w := e.do("GET", "/v1/nothing", "", header{"X-Request-ID": odd})
		require.Regexp(t, "^[0-9a-f]{32}$", w.Header().Get("X-Request-ID"))
	}
	w = httptest.NewRecorder()
	e.api.ServeHTTP(w, httptest.NewRequest("GET", "/v1/sandboxes", nil))
	require.Regexp(t, "^[0-9a-f]{32}$", w.Header().Get("X-Request-ID"), "also when authentication never ran")
}

func TestCORS(t *testing.T) {
	const evil, console = "https://evil.example", "https://console.example.com"
	e := newEdge(t)
	preflight := header{
		"OPEN-SANDBOX-API-KEY": "", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "open-sandbox-api-key,content-type",
	}
	for _, path := range []string{"/v1/sandboxes", "/sandboxes/x/pause", "/nothing", "/health"} {
		w := e.do("OPTIONS", path, "", preflight, header{"Origin": evil})
		require.Equal(t, 200, w.Code)
		require.Equal(t, "OK", w.Body.String())
		require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
		require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
		require.Equal(t, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT", w.Header().Get("Access-Control-Allow-Methods"))
		require.Equal(t, "open-sandbox-api-key,content-type", w.Header().Get("Access-Control-Allow-Headers"))
		require.Equal(t, "600", w.Header().Get("Access-Control-Max-Age"))
		require.NotEmpty(t, w.Header().Get("X-Request-ID"))

		w = e.do("OPTIONS", path, "", preflight, header{"Origin": console})
		require.Equal(t, console, w.Header().Get("Access-Control-Allow-Origin"))
		require.Equal(t, "true", w.Header().Get("Access-Control-Allow-Credentials"))
	}
	for path, status := range map[string]int{"/v1/sandboxes": 200, "/v1/sandboxes?page=x": 422, "/nothing": 404} {
		w := e.do("GET", path, "", header{"Origin": evil})
		require.Equal(t, status, w.Code)
		require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"))
		require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
		require.Contains(t, w.Header().Values("Vary"), "Origin")
	}
	w := e.do("GET", "/v1/sandboxes", "", header{"Origin": console, "OPEN-SANDBOX-API-KEY": "wrong"})
	require.Equal(t, 401, w.Code)
	require.Equal(t, console, w.Header().Get("Access-Control-Allow-Origin"), "refusals can be read too")
	require.Empty(t, e.do("GET", "/v1/sandboxes", "").Header().Get("Access-Control-Allow-Origin"))

	// Without an API key there is no CORS at all.
	e = newEdge(t, func(o *api.Options) { o.CORS = nil })
	w = e.do("OPTIONS", "/v1/sandboxes", "", preflight, header{"Origin": evil})
	require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
	require.Empty(t, w.Header().Get("Access-Control-Allow-Headers"))
	require.Empty(t, e.do("GET", "/v1/sandboxes", "", header{"Origin": evil}).Header().Get("Access-Control-Allow-Origin"))
}

func TestPanicIsAnAnswer(t *testing.T) {
	e := newEdge(t)
	e.service.panics = "hunter2"
	w := e.do("GET", "/v1/sandboxes/x", "", header{"X-Request-ID": "e2e-9"})
	wantError(t, w, 500, "GENERAL::UNKNOWN_ERROR")
	require.Equal(t, "e2e-9", w.Header().Get("X-Request-ID"))
	require.Contains(t, e.log.String(), `"request_id":"e2e-9"`)
	require.Contains(t, e.log.String(), "scripted")
	require.NotContains(t, w.Body.String()+e.log.String(), "hunter2", "a panic may carry a client's data")

	e.service.panics = http.ErrAbortHandler
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { e.do("GET", "/v1/sandboxes/x", "") })
}

func TestConcurrencyLimit(t *testing.T) {
	e := newEdge(t, func(o *api.Options) { o.Concurrency = 2 })
	e.service.block = make(chan struct{})
	answers := make(chan int)
	for range 2 {
		go func() { answers <- e.do("GET", "/v1/sandboxes/x", "").Code }()
	}
	require.Eventually(t, func() bool { return e.api.InFlight() == 2 }, waitFor, tick)
	for range 3 {
		w := e.do("GET", "/v1/sandboxes", "")
		wantError(t, w, 503, "GENERAL::SERVER_OVERLOADED")
		require.Equal(t, "1", w.Header().Get("Retry-After"))
	}
	require.Equal(t, 1, strings.Count(e.log.String(), "limit_concurrency"), "one warning per burst")
	for _, path := range []string{"/health", "/health/ready", "/docs", "/openapi.json"} {
		require.Equal(t, 200, e.do("GET", path, "").Code, "%s is not counted", path)
	}
	require.EqualValues(t, 3, e.api.Rejected())
	close(e.service.block)
	require.Equal(t, 200, <-answers)
	require.Equal(t, 200, <-answers)
	require.Zero(t, e.api.InFlight())
	require.Equal(t, 200, e.do("GET", "/v1/sandboxes/x", "").Code)

	// A panic gives its place back.
	e.service.panics = "x"
	for range 5 {
		require.Equal(t, 500, e.do("GET", "/v1/sandboxes/x", "").Code)
	}
	require.Zero(t, e.api.InFlight())
}

// Whatever the method, path and headers: without a key the service hears nothing.
func FuzzNoKeyNoService(f *testing.F) {
	for _, path := range []string{
		"/v1/sandboxes", "/sandboxes/ID%2Fproxy%2F80", "/v1/sandboxes/x/proxy/80/../../../y", "/docs/../v1/sandboxes", "/health/%2e%2e/sandboxes",
		"//v1/sandboxes", "/V1/sandboxes", "/v1/sandboxes;/health", "/openapi.json/..%5cv1", "/v1/sandboxes/x/proxy/80",
	} {
		f.Add("DELETE", path, "S-80.sandbox.example.com", "x-80")
		f.Add("GET", path, "edge.example.com", "")
	}
	f.Fuzz(func(t *testing.T, method, path, host, ingressTo string) {
		r := &http.Request{Method: method, RequestURI: path, Host: host, URL: &url.URL{}, Header: http.Header{}, Body: http.NoBody}
		if ingressTo != "" {
			r.Header.Set("OpenSandbox-Ingress-To", ingressTo)
		}
		e := newEdge(t)
		w := httptest.NewRecorder()
		e.handler.ServeHTTP(w, r)
		if len(e.service.calls) > 0 {
			t.Fatalf("%s %s reached the service: %v", method, path, e.service.calls)
		}
		if w.Code >= 500 {
			t.Fatalf("%s %s is answered %d", method, path, w.Code)
		}
	})
}
