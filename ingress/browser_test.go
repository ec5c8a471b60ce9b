package ingress_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/isolation"
)

// tenant answers as an application that wants the whole origin for itself.
func tenant(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	for name, value := range map[string]string{
		"Service-Worker-Allowed": "/", "Strict-Transport-Security": "max-age=1", "Clear-Site-Data": `"*"`, "NEL": "{}", "Report-To": "{}",
		"Reporting-Endpoints": `a="/"`, "Alt-Svc": `h3=":1"`, "Use-As-Dictionary": `match="/*"`, "Set-Login": "logged-in", "Origin-Agent-Cluster": "?1",
	} {
		h.Set(name, value)
	}
	h["Set-Cookie"] = []string{"a=1; Path=/app; Domain=example.com; HttpOnly", "__Host-b=2; Path=/; Secure"}
	h.Set("Content-Security-Policy", "default-src 'self'")
	h.Set("X-Accel-Redirect", "/internal/passwd")
	w.WriteHeader(http.StatusEarlyHints)
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	h.Set(http.TrailerPrefix+"Clear-Site-Data", `"*"`)
	h.Set(http.TrailerPrefix+"X-Sum", "1")
}

// wide are the fields of tenant that act on an origin.
var wide = []string{
	"Service-Worker-Allowed", "Strict-Transport-Security", "Clear-Site-Data", "Nel", "Report-To", "Reporting-Endpoints",
	"Alt-Svc", "Use-As-Dictionary", "Set-Login", "Origin-Agent-Cluster",
}

// traced notes the interim answers to a request.
func traced(r *http.Request, interim http.Header) *http.Request {
	return r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, header textproto.MIMEHeader) error {
			maps.Copy(interim, header)
			return nil
		},
	}))
}

// Sandboxes that share an origin do not get it (threat row W3); one on a host of its own
// may, but sets no cookies for its siblings (threat row W4).
func TestSharedOrigins(t *testing.T) {
	for _, mode := range []isolation.Mode{isolation.Cookies, isolation.Strict, isolation.Off} {
		e := newEdge(t, func(o *ingress.Options) { o.Isolation = mode })
		e.sandbox(t, id, tenant, 8080)
		for _, f := range forms("8080") {
			shared := f.name != "wildcard" && mode != isolation.Off
			interim := http.Header{}
			res, _ := e.do(t, traced(f.request(t, e, "GET", "/", nil), interim))
			for _, head := range []http.Header{res.Header, interim} {
				for _, name := range wide {
					require.Equal(t, !shared, len(head[name]) > 0, "%s %s", f.name, name)
				}
				require.NotContains(t, head, "X-Accel-Redirect")
			}
			require.NotEmpty(t, interim["Content-Security-Policy"], "the interim answer was relayed")
			require.NotContains(t, interim, "Set-Cookie")
			require.Equal(t, shared, len(res.Trailer["Clear-Site-Data"]) == 0)
			require.Equal(t, "1", res.Trailer.Get("X-Sum"))

			cookies := map[string][]string{
				"direct": {"a=1; HttpOnly; Path=" + f.prefix + "/app"}, "uri": {"a=1; HttpOnly; Path=" + f.prefix + "/app"},
				"header": {"a=1; Path=/app; HttpOnly"}, "wildcard": {"a=1; Path=/app; HttpOnly", "__Host-b=2; Path=/; Secure"},
			}[f.name]
			if f.name != "wildcard" && !shared {
				cookies = []string{"a=1; Path=/app; Domain=example.com; HttpOnly", "__Host-b=2; Path=/; Secure"}
			}
			require.Equal(t, cookies, res.Header["Set-Cookie"], f.name)

			policy := []string{"default-src 'self'"}
			if shared && mode == isolation.Strict {
				policy = append(policy, "sandbox allow-scripts allow-forms allow-popups allow-downloads")
			}
			require.Equal(t, policy, res.Header["Content-Security-Policy"], f.name)
		}
	}
}

func TestWhatBrowsersAttachThemselves(t *testing.T) {
	lines := []string{"Cookie: sso=1", "Authorization: Basic eA=="}
	for _, c := range []struct {
		mode    isolation.Mode
		forward bool
		passes  string // forms
	}{
		{isolation.Cookies, false, "wildcard uri header"},
		{isolation.Off, false, "wildcard uri header"},
		{isolation.Strict, false, "wildcard"},
		{isolation.Strict, true, "direct wildcard uri header"},
	} {
		e := newEdge(t, func(o *ingress.Options) { o.Isolation, o.ForwardCredentials = c.mode, c.forward })
		var got seen
		e.sandbox(t, id, got.handler, 8080)
		for _, f := range forms("8080") {
			r := sentAs(t, e, &got, f, "8080", lines...)
			passes := strings.Contains(c.passes, f.name)
			require.Equal(t, passes, r.Header.Get("Cookie") != "", "%v %s", c, f.name)
			require.Equal(t, passes, r.Header.Get("Authorization") != "", "%v %s", c, f.name)
		}
		r := sentAs(t, e, &got, forms("8080")[2], "8080", "Authorization: Bearer app")
		require.Equal(t, "Bearer app", r.Header.Get("Authorization"), "programs put that there")
	}
}

func TestServiceWorkersAreRefused(t *testing.T) {
	for _, mode := range []isolation.Mode{isolation.Cookies, isolation.Off} {
		e := newEdge(t, func(o *ingress.Options) { o.Isolation = mode })
		var got seen
		e.sandbox(t, id, got.handler, 8080)
		for _, f := range forms("8080") {
			before := got.count()
			r := f.request(t, e, "GET", "/sw.js", nil)
			r.Header.Set("Service-Worker", "script")
			res, body := e.do(t, r)
			if f.name == "wildcard" || mode == isolation.Off {
				require.Equal(t, 200, res.StatusCode)
				continue
			}
			require.Equal(t, 403, res.StatusCode)
			require.Equal(t, ingress.CodeWorkerScript, code(t, body))
			require.Equal(t, before, got.count(), "the sandbox was not asked")
		}
	}
}

// A page of another site does not act with the cookies of a user (threat row W5).
func TestCrossSiteRequests(t *testing.T) {
	const trusted = "https://console.example.com"
	var got seen
	start := func(allow bool) *edge {
		e := newEdge(t, func(o *ingress.Options) { o.AllowCrossSite, o.CORS = allow, auth.NewCORS(trusted) })
		e.sandbox(t, id, got.handler, 8080, 44772)
		return e
	}
	refusing, allowing := start(false), start(true)
	const cookie = "Cookie: session=1"
	for _, c := range []struct {
		name, method, port string
		lines              []string // {host} is the one of the form
		refused            bool
	}{
		{"own page", "POST", "8080", []string{cookie, "Origin: http://{host}"}, false},
		{"own page over TLS elsewhere", "POST", "8080", []string{cookie, "Origin: https://{host}"}, false},
		{"no browser", "POST", "8080", []string{cookie}, false},
		{"other site", "POST", "8080", []string{cookie, "Origin: https://evil.example"}, true},
		{"other port", "POST", "8080", []string{cookie, "Origin: http://{host}:81"}, true},
		{"sibling", "DELETE", "8080", []string{cookie, "Origin: http://x-80." + base}, true},
		{"opaque origin", "PATCH", "8080", []string{cookie, "Origin: null"}, true},
		{"second origin", "PUT", "8080", []string{cookie, "Origin: http://{host}", "Origin: https://evil.example"}, true},
		{"own method", "FROB", "8080", []string{cookie, "Origin: https://evil.example"}, true},
		{"no cookie", "POST", "8080", []string{"Origin: https://evil.example"}, false},
		{"safe method", "GET", "8080", []string{cookie, "Origin: https://evil.example"}, false},
		{"trusted page, application", "POST", "8080", []string{cookie, "Origin: " + trusted}, true},
		{"trusted page, daemon", "POST", "44772", []string{cookie, "Origin: " + trusted}, false},
		{"other site, daemon", "POST", "44772", []string{cookie, "Origin: https://evil.example"}, true},
	} {
		for _, f := range forms(c.port) {
			for _, e := range []*edge{refusing, allowing} {
				before := got.count()
				head := c.method + " " + f.prefix + "/ HTTP/1.1\r\nHost: " + f.host + "\r\nConnection: close\r\nContent-Length: 0\r\n"
				if f.header != "" {
					head += "OpenSandbox-Ingress-To: " + f.header + "\r\n"
				}
				lines := strings.ReplaceAll(strings.Join(c.lines, "\r\n"), "{host}", f.host)
				res, body := e.raw(t, head+lines+"\r\n\r\n")
				if !c.refused || e == allowing {
					require.Equal(t, 200, res.StatusCode, "%s %s: %s", c.name, f.name, body)
					continue
				}
				require.Equal(t, 403, res.StatusCode, "%s %s", c.name, f.name)
				require.Equal(t, ingress.CodeCrossSite, code(t, body))
				require.Equal(t, before, got.count(), "the sandbox was not asked")
			}
		}
	}
}

func TestCrossSiteWebSockets(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, echo, 8080)
	for _, f := range forms("8080") {
		for origin, refused := range map[string]bool{"https://evil.example": true, "null": true, "https://" + f.host: false} {
			ctx, cancel := context.WithTimeout(context.Background(), eventually)
			c, res, err := f.dial(ctx, e, http.Header{"Origin": {origin}, "Cookie": {"session=1"}})
			if refused {
				require.Error(t, err)
				require.Equal(t, 403, res.StatusCode, "%s %s", f.name, origin)
			} else {
				require.NoError(t, err, "%s %s", f.name, origin)
				_ = c.Close(websocket.StatusNormalClosure, "")
			}
			cancel()
		}
	}
}

func TestPreserveHost(t *testing.T) {
	for _, preserve := range []bool{false, true} {
		e := newEdge(t, func(o *ingress.Options) { o.PreserveHost = preserve })
		var got seen
		s := e.sandbox(t, id, got.handler, 8080)
		for _, f := range forms("8080") {
			want := s.Listener.Addr().String()
			if preserve {
				want = f.host
			}
			require.Equal(t, want, sentAs(t, e, &got, f, "8080").Host)
		}
	}
}

// A failure of ours is a page for a person and JSON for a program (threat row W7).
func TestErrorPages(t *testing.T) {
	e := newEdge(t)
	for _, f := range forms("8080") {
		for accept, kind := range map[string]string{"text/html,*/*;q=0.8": "text/html; charset=utf-8", "*/*": "application/json"} {
			r := f.request(t, e, "GET", "/%3Cscript%3E?<b>", nil)
			r.Header.Set("Accept", accept)
			res, body := e.do(t, r)
			require.Equal(t, 404, res.StatusCode)
			require.Equal(t, kind, res.Header.Get("Content-Type"), f.name)
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			require.NotContains(t, body, "script")
			require.Contains(t, body, "DOCKER::SANDBOX_NOT_FOUND")
		}
	}
}
