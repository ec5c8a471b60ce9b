package ingress_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
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
