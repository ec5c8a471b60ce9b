package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/secret"
)

const key = "0123456789abcdef-key"

func keys() *auth.Keys {
	return auth.NewKeys(auth.Key{Name: "main", Value: secret.New(key)}, auth.Key{Name: "next", Value: secret.New("next-key")})
}

func options(t *testing.T) auth.Options {
	t.Helper()
	table, err := route.NewTable(route.Settings{WildcardBase: "sb.example.com", Header: true, URI: true})
	require.NoError(t, err)
	return auth.Options{Table: table, Keys: keys(), CORS: auth.NewCORS()}
}

// serve runs one request through authentication; decision is nil when it was refused.
func serve(t *testing.T, opts auth.Options, method, target string, header ...string) (*httptest.ResponseRecorder, *auth.Decision) {
	t.Helper()
	a, err := auth.New(opts)
	require.NoError(t, err)
	r := httptest.NewRequest(method, target, nil)
	r.RequestURI = r.URL.RequestURI() // origin form, as clients send it
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	admitted, refused := a.Admit(w, r)
	if refused != nil {
		a.Refuse(w, r, refused)
		return w, nil
	}
	decision, ok := auth.FromContext(admitted.Context())
	require.True(t, ok)
	return w, decision
}

func TestWhoGetsIn(t *testing.T) {
	const id = "OPEN-SANDBOX-API-KEY"
	preflight := []string{"Origin", "https://x", "Access-Control-Request-Method", "POST"}
	for _, c := range []struct {
		name, method, target string
		header               []string
		status               int
		code                 string
		allowed              bool
	}{
		{name: "api without key", method: "GET", target: "http://h/v1/sandboxes", status: 401, code: "MISSING_API_KEY"},
		{name: "api with empty key", method: "GET", target: "http://h/v1/sandboxes", header: []string{id, ""}, status: 401, code: "MISSING_API_KEY"},
		{name: "api with wrong key", method: "GET", target: "http://h/v1/sandboxes", header: []string{id, key + "x"}, status: 401, code: "INVALID_API_KEY"},
		{name: "inner blanks are not trimmed", method: "GET", target: "http://h/sandboxes", header: []string{id, " " + key}, status: 401, code: "INVALID_API_KEY"},
		{name: "two values", method: "GET", target: "http://h/sandboxes", header: []string{id, key, id, key}, status: 401, code: "INVALID_API_KEY"},
		{name: "bearer is no scheme", method: "GET", target: "http://h/sandboxes", header: []string{"Authorization", "Bearer " + key}, status: 401, code: "MISSING_API_KEY"},
		{name: "query is no carrier", method: "GET", target: "http://h/sandboxes?api_key=" + key, status: 401, code: "MISSING_API_KEY"},
		{name: "api with key", method: "GET", target: "http://h/v1/sandboxes", header: []string{id, key}, status: 200, allowed: true},
		{name: "api with second key", method: "GET", target: "http://h/v1/sandboxes", header: []string{id, "next-key"}, status: 200, allowed: true},
		{name: "unknown path without key", method: "GET", target: "http://h/nothing", status: 401, code: "MISSING_API_KEY"},
		{name: "unknown path with key", method: "GET", target: "http://h/nothing", header: []string{id, key}, status: 200, allowed: true},
		{name: "versioned health", method: "GET", target: "http://h/v1/health", status: 401, code: "MISSING_API_KEY"},
		{name: "health", method: "GET", target: "http://h/health", status: 200},
		{name: "docs", method: "GET", target: "http://h/docs", status: 200},
		{name: "proxy", method: "POST", target: "http://h/sandboxes/x/proxy/44772/command", status: 200},
		{name: "proxy with key", method: "POST", target: "http://h/sandboxes/x/proxy/44772/command", header: []string{id, key}, status: 200, allowed: true},
		{name: "proxy with wrong key", method: "POST", target: "http://h/sandboxes/x/proxy/44772/command", header: []string{id, "k"}, status: 200},
		{name: "proxy with a port word", method: "GET", target: "http://h/sandboxes/x/proxy/abc/", status: 401, code: "MISSING_API_KEY"},
		{name: "exemption by an encoded slash", method: "DELETE", target: "http://h/v1/sandboxes/ID%2Fproxy%2F80", status: 400, code: route.CodeBadPath},
		{name: "exemption by dots", method: "GET", target: "http://h/docs/../v1/sandboxes", status: 400, code: route.CodeBadPath},
		{name: "upper case api", method: "GET", target: "http://h/V1/sandboxes", status: 401, code: "MISSING_API_KEY"},
		{name: "double slash", method: "GET", target: "http://h//v1/sandboxes", status: 401, code: "MISSING_API_KEY"},
		{name: "gateway host", method: "GET", target: "http://x-80.sb.example.com/v1/sandboxes", status: 200},
		{name: "gateway header", method: "GET", target: "http://h/v1/sandboxes", header: []string{"OpenSandbox-Ingress-To", "x-80"}, status: 200},
		{name: "preflight", method: "OPTIONS", target: "http://h/v1/sandboxes", header: preflight, status: 200},
		{name: "plain OPTIONS", method: "OPTIONS", target: "http://h/v1/sandboxes", status: 401, code: "MISSING_API_KEY"},
		{name: "TRACE", method: "TRACE", target: "http://h/v1/sandboxes", header: []string{id, key}, status: 405, code: route.CodeMethodNotAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, d := serve(t, options(t), c.method, c.target, c.header...)
			require.Equal(t, c.status, w.Code, w.Body)
			require.NotEmpty(t, w.Header().Get("X-Request-ID"))
			if c.status != 200 {
				require.Nil(t, d)
				require.Contains(t, w.Body.String(), `"code":"`+c.code+`"`)
				require.NotContains(t, w.Body.String(), key)
				return
			}
			require.Equal(t, c.allowed, d.Allowed)
			require.Equal(t, c.allowed, d.KeyName != "")
		})
	}
}

func TestRequireKeyOnSandboxRoutes(t *testing.T) {
	opts := options(t)
	opts.Access = auth.AccessKey
	for _, target := range []string{"http://h/sandboxes/x/proxy/80/", "http://x-80.sb.example.com/", "http://h/x/80/"} {
		w, _ := serve(t, opts, "GET", target)
		require.Equal(t, 401, w.Code, target)
		w, _ = serve(t, opts, "OPTIONS", target, "Origin", "https://x", "Access-Control-Request-Method", "GET")
		require.Equal(t, 401, w.Code, "a preflight would reach the sandbox")
		w, d := serve(t, opts, "GET", target, "OPEN-SANDBOX-API-KEY", key)
		require.Equal(t, 200, w.Code, target)
		require.True(t, d.Allowed)
	}
	// The daemon's own token may stand in for the key, which only the sandbox's entry can tell.
	w, d := serve(t, opts, "GET", "http://h/sandboxes/x/proxy/44772/")
	require.Equal(t, 200, w.Code)
	require.False(t, d.Allowed)
	require.Equal(t, auth.CodeMissingKey, d.KeyErr.Code)
	_, d = serve(t, opts, "GET", "http://h/sandboxes/x/proxy/44772/", "OPEN-SANDBOX-API-KEY", key)
	require.Nil(t, d.KeyErr)
	opts.Keys = auth.NewKeys()
	_, err := auth.New(opts)
	require.Error(t, err)
}

func TestNoKeysMeansNobodyUnlessDeclared(t *testing.T) {
	opts := options(t)
	opts.Keys = auth.NewKeys(auth.Key{Name: "blank", Value: secret.New("  ")})
	require.True(t, opts.Keys.Empty())
	for _, sent := range []string{"", "  ", "x"} {
		w, _ := serve(t, opts, "GET", "http://127.0.0.1/v1/sandboxes", "OPEN-SANDBOX-API-KEY", sent)
		require.Equal(t, 401, w.Code)
	}
	opts.Mode = auth.ModeInsecure
	w, d := serve(t, opts, "GET", "http://127.0.0.1/v1/sandboxes")
	require.Equal(t, 200, w.Code)
	require.True(t, d.Allowed)
	require.Empty(t, d.KeyName)

	opts.Keys = keys()
	w, _ = serve(t, opts, "GET", "http://127.0.0.1/v1/sandboxes")
	require.Equal(t, 401, w.Code, "a configured key ends insecure mode")
}

func TestInsecureModeAndBrowsers(t *testing.T) {
	opts := options(t)
	table, err := route.NewTable(route.Settings{APIHosts: []string{"edge.example.com"}})
	require.NoError(t, err)
	anyHost := opts.Table
	opts.Keys, opts.Mode, opts.CORS = auth.NewKeys(), auth.ModeInsecure, nil
	for _, c := range []struct {
		name, host string
		table      *route.Table
		header     []string
		status     int
	}{
		{name: "address", host: "10.1.2.3:8080", status: 200},
		{name: "IPv6", host: "[2001:db8::1]:8080", status: 200},
		{name: "localhost", host: "localhost:8080", status: 200},
		{name: "name of unknown origin", host: "rebound.evil.example", status: 421},
		{name: "configured name", host: "edge.example.com", table: table, status: 200},
		{name: "own origin", host: "localhost:8080", header: []string{"Origin", "http://localhost:8080"}, status: 200},
		{name: "own origin, default port", host: "localhost", header: []string{"Origin", "http://localhost:80"}, status: 200},
		{name: "foreign origin", host: "localhost:8080", header: []string{"Origin", "https://evil.example"}, status: 403},
		{name: "other port", host: "localhost:8080", header: []string{"Origin", "http://localhost:3000"}, status: 403},
		{name: "opaque origin", host: "localhost:8080", header: []string{"Origin", "null"}, status: 403},
		{name: "second origin", host: "localhost:8080", header: []string{"Origin", "http://localhost:8080", "Origin", "http://evil"}, status: 403},
		{name: "cross-site", host: "localhost:8080", header: []string{"Sec-Fetch-Site", "cross-site"}, status: 403},
		{name: "same-site", host: "localhost:8080", header: []string{"Sec-Fetch-Site", "same-site"}, status: 403},
		{name: "same-origin", host: "localhost:8080", header: []string{"Sec-Fetch-Site", "same-origin"}, status: 200},
		{name: "typed by the user", host: "localhost:8080", header: []string{"Sec-Fetch-Site", "none"}, status: 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := opts
			if opts.Table = anyHost; c.table != nil {
				opts.Table = c.table
			}
			w, _ := serve(t, opts, "POST", "http://"+c.host+"/v1/sandboxes", c.header...)
			require.Equal(t, c.status, w.Code, w.Body)
			require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
		})
	}
	w, _ := serve(t, opts, "OPTIONS", "http://localhost/v1/sandboxes", "Origin", "https://evil", "Access-Control-Request-Method", "POST")
	require.Equal(t, 403, w.Code)
	w, _ = serve(t, opts, "GET", "http://any.example/health", "Origin", "https://evil")
	require.Equal(t, 200, w.Code, "public pages stay public")
}

// A rebound name reaches no sandbox either, whichever way it is asked for one.
func TestInsecureModeAndSandboxRoutes(t *testing.T) {
	opts := options(t)
	opts.Keys, opts.Mode, opts.CORS = auth.NewKeys(), auth.ModeInsecure, nil
	for _, form := range []struct{ path, header string }{
		{path: "/sandboxes/x/proxy/44772/command"}, {path: "/v1/sandboxes/x/proxy/80/"}, {path: "/x/80/"}, {path: "/", header: "x-80"},
	} {
		for host, status := range map[string]int{
			"rebound.evil.example": 421, "evil.example:8080": 421, "127.0.0.1:8080": 200, "10.1.2.3": 200, "localhost:8080": 200, "[::1]:80": 200,
		} {
			var header []string
			if form.header != "" {
				header = []string{"OpenSandbox-Ingress-To", form.header}
			}
			w, d := serve(t, opts, "GET", "http://"+host+form.path, header...)
			require.Equal(t, status, w.Code, "%s%s", host, form.path)
			require.Equal(t, status == 200, d != nil)
		}
	}
	w, _ := serve(t, opts, "GET", "http://x-80.sb.example.com/")
	require.Equal(t, 200, w.Code, "hosts under the base are the operator's")

	opts.Mode = auth.ModeSecure
	w, _ = serve(t, opts, "GET", "http://any.example/sandboxes/x/proxy/80/")
	require.Equal(t, 200, w.Code, "a server with a key has no such rule")
}

func TestCarries(t *testing.T) {
	k := keys()
	for value, want := range map[string]bool{
		key: true, "next-key": true, "Bearer " + key: true, "bearer " + key: true, "Bearer  " + key: true,
		key + " ": false, "": false, "Bearer ": false, "Basic " + key: false, "x": false,
	} {
		require.Equal(t, want, k.Carries(value), "%q", value)
	}
	require.False(t, auth.NewKeys().Carries(""))
}

func TestRequestID(t *testing.T) {
	for sent, kept := range map[string]bool{
		"e2e-1": true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false, "a\tb": false, "ü": false, "": false,
	} {
		w, _ := serve(t, options(t), "GET", "http://h/v1/sandboxes", "X-Request-ID", sent)
		got := w.Header().Get("X-Request-ID")
		if kept {
			require.Equal(t, sent, got)
			continue
		}
		require.Regexp(t, "^[0-9a-f]{32}$", got)
	}
}

func TestCORS(t *testing.T) {
	w, _ := serve(t, options(t), "GET", "http://h/v1/sandboxes", "Origin", "https://evil")
	require.Equal(t, "*", w.Header().Get("Access-Control-Allow-Origin"), "pages can read why they were refused")
	require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))

	c := auth.NewCORS("https://Console.example.com/")
	preflight := func(origin string) http.Header {
		r := httptest.NewRequest("OPTIONS", "/", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Headers", "x-a, x-b")
		w := httptest.NewRecorder()
		w.Header().Set("Access-Control-Allow-Credentials", "true") // somebody else's
		c.Preflight(w, r)
		require.Equal(t, 200, w.Code)
		require.Equal(t, "x-a, x-b", w.Header().Get("Access-Control-Allow-Headers"))
		require.Contains(t, w.Header().Values("Vary"), "Origin")
		return w.Header()
	}
	h := preflight("https://console.example.com")
	require.Equal(t, "https://console.example.com", h.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", h.Get("Access-Control-Allow-Credentials"))
	h = preflight("https://evil.example")
	require.Equal(t, "*", h.Get("Access-Control-Allow-Origin"))
	require.Empty(t, h.Get("Access-Control-Allow-Credentials"))
}
