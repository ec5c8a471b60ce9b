package ingress_test

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// sentAs sends raw header lines over one route form and returns what the sandbox got.
func sentAs(t *testing.T, e *edge, got *seen, f form, port string, lines ...string) *http.Request {
	t.Helper()
	head := "GET " + f.prefix + "/ HTTP/1.1\r\nHost: " + f.host + "\r\nConnection: close\r\n"
	if f.header != "" {
		head += "OpenSandbox-Ingress-To: " + f.header + "\r\n"
	}
	res, body := e.raw(t, head+strings.Join(lines, "\r\n")+"\r\n\r\n")
	require.Equal(t, 200, res.StatusCode, body)
	return got.last(t)
}

func TestWhatNeverReachesASandbox(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	for _, f := range forms("8080") {
		t.Run(f.name, func(t *testing.T) {
			legacy := "OPEN-SANDBOX-INGRESS: other-1"
			if f.name == "uri" { // there it would decide where the request goes
				legacy = "OPEN-SANDBOX-INGRESS: "
			}
			r := sentAs(t, e, &got, f, "8080",
				legacy,
				"OPEN-SANDBOX-API-KEY: "+apiKey,
				"Open_Sandbox_Api_Key: wrong-key",
				"OpenSandbox-Secure-Access: K",
				"OpenSandbox-Access-Renew: skip",
				"X-EXECD-ACCESS-TOKEN: T",
				"OPENSANDBOX-EGRESS-AUTH: E",
				"X-Custom: "+apiKey,
				"X-Several: keep",
				"X-Several: Bearer "+apiKey,
				"X-Near: "+apiKey+"x",
				"X-Scheme: ApiKey "+apiKey,
				"X-Basic: Basic "+base64.StdEncoding.EncodeToString([]byte(apiKey+":")),
				"X-Basic-Too: basic "+base64.StdEncoding.EncodeToString([]byte("user:"+apiKey)),
				"X-Basic-Other: Basic "+base64.StdEncoding.EncodeToString([]byte("user:password")),
				"Sec-WebSocket-Protocol: chat, "+apiKey+", v2",
				"X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil", "X-Forwarded-Proto: gopher",
				"X-Forwarded-Prefix: /evil", "X-Forwarded-Port: 1", "Forwarded: for=evil", "X-Real-IP: 6.6.6.6",
				"X-Original-URL: /evil", "X_Forwarded_For: 6.6.6.6", "X.Forwarded.For: 6.6.6.6", "Open.Sandbox.Api_Key: wrong-key",
				"Proxy-Authorization: Basic eA==", "Keep-Alive: 5", "HTTP2-Settings: AAA", "Upgrade: h2c",
				"Connection: x-named, x-forwarded-for, Upgrade, HTTP2-Settings", "X-Named: 1",
				"TE: trailers, gzip",
				"Accept: text/html", "X-Request-ID: mine",
			)
			for name, values := range r.Header {
				for _, v := range values {
					require.NotContains(t, strings.TrimSuffix(v, apiKey+"x"), apiKey, name)
					require.NotContains(t, v, "evil", name)
					require.NotContains(t, v, "6.6.6.6", name)
					require.NotContains(t, v, "wrong-key", name)
				}
			}
			for _, name := range []string{
				"Opensandbox-Ingress-To", "Open-Sandbox-Ingress", "Opensandbox-Secure-Access", "Opensandbox-Access-Renew",
				"X-Execd-Access-Token", "Opensandbox-Egress-Auth", "X-Custom", "X-Scheme", "X-Basic", "X-Basic-Too", "X-Named", "Proxy-Authorization", "Keep-Alive",
				"Http2-Settings", "Upgrade", "Connection", "Forwarded", "X-Real-Ip", "X-Forwarded-Port", "User-Agent", "Accept-Encoding",
			} {
				require.NotContains(t, r.Header, name)
			}
			require.Equal(t, []string{"keep"}, r.Header["X-Several"])
			require.Equal(t, []string{"chat, v2"}, r.Header["Sec-Websocket-Protocol"])
			require.NotEmpty(t, r.Header.Get("X-Basic-Other"))
			require.Equal(t, apiKey+"x", r.Header.Get("X-Near"))
			require.Equal(t, "trailers", r.Header.Get("TE"))
			require.Equal(t, "text/html", r.Header.Get("Accept"))
			require.Equal(t, "mine", r.Header.Get("X-Request-ID"))
			require.Equal(t, "127.0.0.1", r.Header.Get("X-Forwarded-For"))
			require.Equal(t, "http", r.Header.Get("X-Forwarded-Proto"))
			require.Equal(t, f.host, r.Header.Get("X-Forwarded-Host"))
			require.Equal(t, f.prefix, r.Header.Get("X-Forwarded-Prefix"))
		})
	}
}

func TestRequestIDIsNotAdded(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	require.NotContains(t, sentAs(t, e, &got, direct("8080"), "8080").Header, "X-Request-Id")
}

func TestTokensReachOnlyTheirDaemon(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 44772, 18080)
	const execd, egress = "X-Execd-Access-Token", "Opensandbox-Egress-Auth"

	r := sentAs(t, e, &got, direct("44772"), "44772", execd+": T", egress+": E")
	require.Equal(t, "T", r.Header.Get(execd))
	require.NotContains(t, r.Header, egress)
	r = sentAs(t, e, &got, direct("18080"), "18080", execd+": T", egress+": E")
	require.Equal(t, "E", r.Header.Get(egress))
	require.NotContains(t, r.Header, execd)
	// An SDK fills the token with the API key when the endpoint gave it none.
	r = sentAs(t, e, &got, direct("44772"), "44772", execd+": "+apiKey)
	require.NotContains(t, r.Header, execd)
	r = sentAs(t, e, &got, direct("18080"), "18080", egress+": "+apiKey)
	require.NotContains(t, r.Header, egress)
	r = sentAs(t, e, &got, direct("44772"), "44772", execd+": "+apiKey+", T")
	require.Equal(t, "T", r.Header.Get(execd), "a list of both")
}

func TestCookiesAndAuthorization(t *testing.T) {
	lines := []string{"Cookie: session=1", "Authorization: Basic eA=="}
	for _, forward := range []bool{false, true} {
		e := newEdge(t, func(o *ingress.Options) { o.ForwardCredentials = forward })
		var got seen
		e.sandbox(t, id, got.handler, 8080)
		for _, f := range forms("8080") {
			r := sentAs(t, e, &got, f, "8080", lines...)
			passes := forward || f.name != "direct"
			require.Equal(t, passes, r.Header.Get("Cookie") != "", f.name)
			require.Equal(t, passes, r.Header.Get("Authorization") != "", f.name)
			for _, scheme := range []string{"Bearer " + apiKey, apiKey, "Basic " + base64.StdEncoding.EncodeToString([]byte(apiKey+":x"))} {
				r = sentAs(t, e, &got, f, "8080", "Authorization: "+scheme, "Cookie: token="+apiKey)
				require.NotContains(t, r.Header, "Authorization", f.name)
				require.NotContains(t, r.Header, "Cookie", f.name)
			}
			if passes {
				r = sentAs(t, e, &got, f, "8080", `Cookie: a=1; token="`+apiKey+`"; b=2`)
				require.Equal(t, "a=1; b=2", r.Header.Get("Cookie"), f.name)
			}
		}
	}
}

func TestKeyInQuery(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	encoded := "%" + "74" + apiKey[1:] // "t" spelled out
	for _, q := range []string{
		"k=" + apiKey, "a=1&k=" + apiKey + "&b", "k=" + encoded, "k=Bearer+" + apiKey, apiKey, apiKey + "=", encoded, "a&" + encoded + "=1",
		"k=x;k=" + apiKey, "a=b=" + apiKey, `k="` + apiKey + `"`, "k=%22" + encoded + "%22", "k=x%3Bk=" + apiKey, "k=+" + apiKey + "+", "k=1," + apiKey,
	} {
		for _, f := range forms("8080") {
			res, body := e.do(t, f.request(t, e, "GET", "/?"+q, nil))
			require.Equal(t, 400, res.StatusCode, q)
			require.Equal(t, ingress.CodeKeyInQuery, code(t, body))
			require.NotContains(t, body, apiKey)
		}
	}
	require.Zero(t, got.count())
}

func TestTrailersReachTheOtherSideWithoutKeys(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		got.handler(w, r)
		_, _ = io.WriteString(w, "answer")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "1")
		w.Header().Set(http.TrailerPrefix+"Set-Cookie", "a=b")
	}, 8080)
	for _, f := range forms("8080") {
		r := f.request(t, e, "POST", "/", io.MultiReader(strings.NewReader("body")))
		r.Trailer = http.Header{
			"X-Checksum": {"abc"}, "X-Key": {apiKey}, "Open-Sandbox-Api-Key": {apiKey}, "X-Forwarded-For": {"6.6.6.6"},
			"Opensandbox-Ingress-To": {"x-1"}, "Authorization": {"Basic eA=="}, "X-Execd-Access-Token": {"T"}, "X-Scheme": {"Bearer " + apiKey},
			"Cookie": {"a=1"}, "Opensandbox-Secure-Access": {"K"}, "Opensandbox-Egress-Auth": {"E"}, "X_Forwarded_Host": {"evil"},
		}
		res, body := e.do(t, r)
		require.Equal(t, "answer", body)
		require.Equal(t, http.Header{"X-Sum": {"42"}, "X-Late": {"1"}}, res.Trailer, f.name)

		got.mu.Lock()
		trailer := got.trailers[len(got.trailers)-1]
		got.mu.Unlock()
		require.Equal(t, "abc", trailer.Get("X-Checksum"))
		delete(trailer, "X-Checksum")
		for name, values := range trailer {
			require.Empty(t, values, name)
			require.Contains(t, []string{"X-Key", "X-Scheme"}, name)
		}
	}
}

// What may not come in a head may not come behind the body either.
func TestTrailersPassTheFilterOfHeaders(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, Access-Control-Allow-Origin")
		w.Header().Set("Connection", "X-Hop")
		_, _ = io.WriteString(w, "answer")
		w.Header().Set("X-Sum", "42")
		w.Header().Set("Access-Control-Allow-Origin", "https://evil.example")
		for _, name := range []string{"Access-Control-Allow-Credentials", "X-Hop", "X-Request-Id", "Set-Cookie", "Location", "Keep-Alive"} {
			w.Header().Set(http.TrailerPrefix+name, "1")
		}
	}, 8080, 44772, 18080)
	for _, port := range []string{"8080", "44772", "18080"} {
		for _, f := range forms(port) {
			r := f.request(t, e, "GET", "/", nil)
			r.Header.Set("Origin", "https://evil.example")
			res, body := e.do(t, r)
			require.Equal(t, "answer", body)
			want := http.Header{"X-Sum": {"42"}}
			if port == "8080" { // the application's own policy
				want["Access-Control-Allow-Origin"] = []string{"https://evil.example"}
				want["Access-Control-Allow-Credentials"] = []string{"1"}
			}
			require.Equal(t, want, res.Trailer, "%s %s", port, f.name)
		}
	}
}

func TestResponseHeaders(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h.Set("Connection", "X-Secret, X-Request-ID")
		h.Set("X-Secret", "1")
		h.Set("Keep-Alive", "5")
		h.Set("X-Request-ID", "forged")
		h.Set("Server", "app")
		h.Set("Content-Encoding", "gzip")
		h.Set("Access-Control-Allow-Origin", "https://app.example")
		h.Set("Access-Control-Allow-Credentials", "true")
		_, _ = io.WriteString(w, "not gzip at all")
	}, 8080, 44772)
	for _, f := range forms("8080") {
		r := f.request(t, e, "GET", "/", nil)
		r.Header.Set("X-Request-ID", "e2e-1")
		r.Header.Set("Origin", "https://evil.example")
		res, body := e.do(t, r)
		require.Equal(t, "not gzip at all", body, "encodings pass as they are")
		require.Equal(t, f.cookies("a=1", "b=2"), res.Header["Set-Cookie"])
		require.NotContains(t, res.Header, "X-Secret")
		require.NotContains(t, res.Header, "Keep-Alive")
		require.Equal(t, []string{"e2e-1"}, res.Header["X-Request-Id"])
		require.Len(t, res.Header["Date"], 1)
		require.Equal(t, []string{"app"}, res.Header["Server"])
		// The application's own cross-origin policy stands.
		require.Equal(t, "https://app.example", res.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "true", res.Header.Get("Access-Control-Allow-Credentials"))
	}
	for _, f := range forms("44772") {
		r := f.request(t, e, "GET", "/", nil)
		r.Header.Set("Origin", "https://evil.example")
		res, _ := e.do(t, r)
		require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
		require.NotContains(t, res.Header, "Access-Control-Allow-Credentials", "not even if the workload sits on the port")
	}
}

func TestPreflights(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080, 44772)
	for _, port := range []string{"8080", "44772"} {
		for i, f := range forms(port)[:3] {
			r := f.request(t, e, "OPTIONS", "/files", nil)
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "x-execd-access-token")
			res, _ := e.do(t, r)
			require.Equal(t, 200, res.StatusCode)
			if port == "8080" {
				require.Equal(t, i+1, got.count(), "the application answers for itself")
				require.NotContains(t, res.Header, "Access-Control-Allow-Origin")
				continue
			}
			require.Equal(t, 3, got.count(), "the edge answers for execd")
			require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
			require.Equal(t, "x-execd-access-token", res.Header.Get("Access-Control-Allow-Headers"))
			require.NotContains(t, res.Header, "Access-Control-Allow-Credentials")
		}
	}
}

// A backend that speaks raw bytes, for answers no HTTP library would send.
func rawBackend(t testing.TB, answer string) (net.Addr, func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted, done := make(chan struct{}, 1024), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- struct{}{}
			go func() {
				defer func() { _ = c.Close() }()
				buf := make([]byte, 4096)
				if n, _ := c.Read(buf); n > 0 {
					_, _ = io.WriteString(c, answer)
				}
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr(), func() int { return len(accepted) }
}

// Every field is held against every option, so their number is bounded (threat row B2).
func TestTooManyConnectionOptionsAreRefused(t *testing.T) {
	e := newEdge(t)
	got := new(seen)
	e.sandbox(t, id, got.handler, 8080)
	for options, want := range map[int]int{31: 200, 32: 400, 7000: 400} { // "close" is one
		f := direct("8080")
		res, _ := e.raw(t, f.head("GET", "/", "X-A: 1", "X-Hop: 1", "Connection: x-hop"+strings.Repeat(",a", options-1)+", close")+"\r\n")
		require.Equal(t, want, res.StatusCode, options)
	}
	require.Len(t, got.requests, 1)
	require.Equal(t, "1", got.last(t).Header.Get("X-A"))
	require.Empty(t, got.last(t).Header.Get("X-Hop"))
}

// Trailers decide nothing that a head decides (RFC 9110 §6.5.1).
func TestTrailersThatBelongIntoAHeadAreDropped(t *testing.T) {
	e := newEdge(t)
	head := []string{
		"Content-Type", "Content-Encoding", "Content-Range", "Refresh", "Cache-Control", "Vary", "Expires",
		"Content-Security-Policy", "Location", "Www-Authenticate",
	}
	e.sandbox(t, id, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, Content-Type")
		_, _ = io.WriteString(w, "ok")
		w.Header().Set("X-Sum", "1")
		for _, name := range head {
			w.Header().Set(http.TrailerPrefix+name, "1")
		}
		w.Header().Set(http.TrailerPrefix+"Server-Timing", "1")
	}, 8080)
	for _, f := range forms("8080") {
		res, _ := e.do(t, f.request(t, e, "GET", "/", nil))
		require.Equal(t, http.Header{"X-Sum": {"1"}, "Server-Timing": {"1"}}, res.Trailer, f.name)
	}
}

// A length that was said twice is passed on once (threat row B2).
func TestOneContentLengthReachesTheClient(t *testing.T) {
	e := newEdge(t)
	addr, _ := keepingBackend(t, func(*http.Request) string {
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, "ok", body)
	require.Equal(t, []string{"2"}, res.Header["Content-Length"])
}
