package execd

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/internal/identity"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/secret"
)

func hashed(t *testing.T, token string) Access {
	t.Helper()
	a, err := AccessByHash(fmt.Sprintf("%x", sha256.Sum256([]byte(token))))
	require.NoError(t, err)
	return a
}

func TestAccessToken(t *testing.T) {
	for name, access := range map[string]Access{
		"hash":  hashed(t, "right"),
		"clear": AccessByToken(secret.New("right")),
	} {
		t.Run(name, func(t *testing.T) {
			d := serve(t, func(o *Options) { o.Access = access })
			for _, headers := range [][]string{
				nil,
				{wire.HeaderExecdToken, ""},
				{wire.HeaderExecdToken, "wrong"},
				{wire.HeaderExecdToken, "right " + "x"},
				{wire.HeaderExecdToken, "right", wire.HeaderExecdToken, "right"},
				{"Authorization", "right"},
				{wire.HeaderExecdToken, fmt.Sprintf("%x", sha256.Sum256([]byte("right")))},
			} {
				for _, target := range []string{"/metrics", "/nope", "/proxy/1/", "/ping/", "/command/status/x"} {
					a := d.do("GET", target, "", headers...)
					require.Equal(t, "UNAUTHORIZED", a.problem(t, 401))
					require.Contains(t, a.body, `"error":"Unauthorized: invalid or missing header X-EXECD-ACCESS-TOKEN"`)
				}
				require.Equal(t, 200, d.do("GET", "/ping", "", headers...).status, "the probe stays open")
			}
			require.Equal(t, 401, d.do("POST", "/ping", "").status)
			require.Equal(t, 200, d.do("GET", "/metrics", "", wire.HeaderExecdToken, "right").status)
		})
	}
	require.False(t, AccessByToken(secret.Text{}).Required())
	for _, bad := range []string{"", "zz", strings.Repeat("0", 63), strings.Repeat("0", 66)} {
		_, err := AccessByHash(bad)
		require.Error(t, err, "a bad hash must not open the daemon")
	}
}

// Whoever holds the digest of the token can tell this daemon from another one, without
// ever sending the token; a token that somebody chose cannot be guessed from proofs.
func TestPingProvesWhoseDaemonItIs(t *testing.T) {
	sum := sha256.Sum256([]byte("right"))
	challenge := identity.Challenge()
	for name, c := range map[string]struct {
		access Access
		key    []byte
	}{"hash": {hashed(t, "right"), sum[:]}, "open": {Access{}, nil}} {
		d := serve(t, func(o *Options) { o.Access, o.Process = c.access, environ.Vars{wire.EnvSandboxID: "a"} })
		proof := d.do("GET", "/ping", "", wire.HeaderChallenge, challenge).header.Get(wire.HeaderProof)
		require.True(t, identity.Proven(c.key, "a", challenge, proof), name)
		for _, bad := range []string{"", "x", strings.Repeat("a", 1000)} {
			require.Empty(t, d.do("GET", "/ping", "", wire.HeaderChallenge, bad).header.Get(wire.HeaderProof), name)
		}
	}
	d := serve(t, func(o *Options) { o.Access = AccessByToken(secret.New("weak")) })
	require.Empty(t, d.do("GET", "/ping", "", wire.HeaderChallenge, challenge).header.Get(wire.HeaderProof))
}

func TestRouting(t *testing.T) {
	d := serve(t, nil)
	require.Empty(t, d.do("GET", "/ping", "").body)
	require.Equal(t, 200, d.do("HEAD", "/ping", "").status)
	require.Equal(t, 200, d.do("GET", "/ping/", "").status, "no redirect")
	for _, target := range []string{"/", "/nope", "//ping", "/ping//", "/command/status/", "/command/a/b/logs", "/x/../ping", "/session", "/pty", "/code/context"} {
		require.Equal(t, "NOT_FOUND", d.do("GET", target, "").problem(t, 404), target)
	}
	a := d.do("GET", "/command", "")
	require.Equal(t, "METHOD_NOT_ALLOWED", a.problem(t, 405))
	require.Equal(t, "DELETE, POST", a.header.Get("Allow"))
	require.Equal(t, "INVALID_REQUEST_BODY", d.do("DELETE", "/files?path=/tmp/a;b", "").problem(t, 400), "no part of a query is dropped silently")
	require.Contains(t, d.do("GET", "/command/status/a%2Fb", "").body, "a/b", "an encoded slash stays in its segment")
}

func TestRequestID(t *testing.T) {
	d := serve(t, nil)
	require.Equal(t, "my-id/1", d.do("GET", "/nope", "", wire.HeaderRequestID, "my-id/1").header.Get(wire.HeaderRequestID))
	for _, bad := range []string{"", "has space", "tab\there", "ünicode", strings.Repeat("x", 129)} {
		got := d.do("GET", "/ping", "", wire.HeaderRequestID, bad).header.Get(wire.HeaderRequestID)
		require.NotEqual(t, bad, got)
		require.Regexp(t, `^[0-9a-f]{32}$`, got)
	}
}

func TestPanicIsOneFailedRequest(t *testing.T) {
	d := serve(t, nil)
	d.server.routes = append(d.server.routes,
		route{"GET", "/boom", func(http.ResponseWriter, *http.Request, []string) error { panic("boom") }},
		route{"GET", "/late", func(w http.ResponseWriter, _ *http.Request, _ []string) error {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic("late")
		}})
	require.Equal(t, "RUNTIME_ERROR", d.do("GET", "/boom", "").problem(t, 500))
	res := d.open("GET", "/late", "")
	defer res.Body.Close()
	_, err := io.ReadAll(res.Body)
	require.Error(t, err, "half an answer is cut")
	require.Equal(t, 200, d.do("GET", "/ping", "").status)
}

// TestProxyKeepsTheRawPath speaks raw HTTP on both sides, so that no library
// repairs the path on the way.
func TestProxyKeepsTheRawPath(t *testing.T) {
	d := serve(t, func(o *Options) { o.Access = hashed(t, "tok") })
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	heads := make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(conn)
			var head strings.Builder
			for line := ""; line != "\r\n"; {
				if line, err = in.ReadString('\n'); err != nil {
					break
				}
				head.WriteString(line)
			}
			heads <- head.String()
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	for sent, want := range map[string]string{
		"":               "/",
		"/":              "/",
		"/a%2Fb/../c//d": "/a%2Fb/../c//d",
		"/x|y%2F^":       "/x%7Cy%2F%5E",
		"//host/p":       "//host/p",
		"/q?a=%2F;b&c":   "/q?a=%2F;b&c",
		"/q?":            "/q?",
		"/%":             "", // not decodable: 400, nothing dialled
	} {
		conn, err := net.Dial("tcp4", d.addr)
		require.NoError(t, err)
		_, _ = fmt.Fprintf(conn, "GET /proxy/%d%s HTTP/1.1\r\nHost: app.example\r\nX-EXECD-ACCESS-TOKEN: tok\r\nOpen-Sandbox-Api-Key: k\r\n"+
			"X-Forwarded-For: 10.9.8.7\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /outer\r\nConnection: close\r\n\r\n", port, sent)
		response, _ := io.ReadAll(conn)
		_ = conn.Close()
		if want == "" {
			require.Contains(t, string(response), " 400 ", sent)
			continue
		}
		head := <-heads
		require.True(t, strings.HasPrefix(head, "GET "+want+" HTTP/1.1\r\n"), "%s: %s", sent, head)
		require.Contains(t, head, "Host: app.example\r\n")
		require.Contains(t, head, "X-Forwarded-For: 10.9.8.7, 127.0.0.1\r\n")
		require.Contains(t, head, "X-Forwarded-Proto: https\r\n")
		require.NotContains(t, head, "X-Forwarded-Host")
		require.Contains(t, head, fmt.Sprintf("X-Forwarded-Prefix: /outer/proxy/%d\r\n", port))
		require.NotContains(t, strings.ToLower(head), "access-token")
		require.NotContains(t, strings.ToLower(head), "api-key")
	}
}

// A backend that answers before it has read everything still gets everything.
func TestProxyAnswersDuringAnUpload(t *testing.T) {
	d := serve(t, nil)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		both := http.NewResponseController(w)
		_ = both.EnableFullDuplex()
		piece := make([]byte, 5)
		for {
			n, err := io.ReadFull(r.Body, piece)
			_, _ = w.Write(piece[:n])
			_ = both.Flush()
			if err != nil {
				return
			}
		}
	}))
	defer app.Close()
	_, port, _ := net.SplitHostPort(app.Listener.Addr().String())
	for framing, pieces := range map[string][]string{
		"Content-Length: 10": {"hello", "world"}, "Transfer-Encoding: chunked": {"5\r\nhello\r\n", "5\r\nworld\r\n0\r\n\r\n"},
	} {
		c, err := net.Dial("tcp", d.addr)
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = fmt.Fprintf(c, "POST /proxy/%s/ HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s", port, framing, pieces[0])
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err, framing)
		first := make([]byte, 5)
		_, err = io.ReadFull(res.Body, first)
		require.NoError(t, err)
		require.Equal(t, "hello", string(first))
		_, err = io.WriteString(c, pieces[1])
		require.NoError(t, err)
		rest, err := io.ReadAll(res.Body)
		require.NoError(t, err, framing)
		require.Equal(t, "world", string(rest))
	}
}

func TestProxyStreamsAndFails(t *testing.T) {
	d := serve(t, nil)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/teapot":
			w.Header().Set(wire.HeaderRequestID, r.URL.RawQuery)
			w.WriteHeader(http.StatusTeapot)
		case "/redirect":
			w.Header()["Location"] = []string{r.URL.RawQuery, "/command"}
			w.WriteHeader(http.StatusFound)
		case "/echo":
			_, _ = io.Copy(w, r.Body)
		case "/sse":
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	defer app.Close()
	_, port, _ := net.SplitHostPort(app.Listener.Addr().String())
	require.Equal(t, http.StatusTeapot, d.do("GET", "/proxy/"+port+"/teapot", "").status)
	require.Equal(t, []string{"theirs"}, d.do("GET", "/proxy/"+port+"/teapot?theirs", "").header.Values(wire.HeaderRequestID))
	require.Equal(t, []string{"mine"}, d.do("GET", "/proxy/"+port+"/teapot", "", wire.HeaderRequestID, "mine").header.Values(wire.HeaderRequestID))
	for location, want := range map[string][]string{
		"/login": {"/proxy/" + port + "/login"}, "/../command": {"/proxy/" + port + "/command"}, `/\evil`: nil,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+d.addr+"/proxy/"+port+"/redirect?"+location, nil)
		require.NoError(t, err)
		answered, err := d.client.Transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, answered.Body.Close())
		require.Equal(t, http.StatusFound, answered.StatusCode)
		require.Equal(t, want, answered.Header["Location"])
	}
	big := strings.Repeat("0123456789abcdef", 1<<18)
	require.Equal(t, big, d.do("POST", "/proxy/"+port+"/echo", big).body)
	res := d.open("GET", "/proxy/"+port+"/sse", "")
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "data: 1\n", line, "the first event is not held back")
	require.NoError(t, res.Body.Close())

	_, own, _ := net.SplitHostPort(d.addr)
	for _, target := range []string{
		"/proxy", "/proxy/", "/proxy//x", "/proxy/0/", "/proxy/65536/", "/proxy/080/", "/proxy/+80/", "/proxy/80:81/",
		"/proxy/1@evil/", "/proxy/%38%30/",
	} {
		d.do("GET", target, "").problem(t, 400)
	}
	require.Equal(t, 200, d.do("GET", "/proxy/"+own+"/ping", "").status, "clients are told of the daemon's port like of any other")
	require.Equal(t, "INVALID_REQUEST_BODY", d.do("POST", "/proxy/"+own+"/command", "{").problem(t, 400))
	d.do("GET", "/proxy/"+own+"/proxy/"+own+"/ping", "").problem(t, 404) // once is enough
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	_, gone, _ := net.SplitHostPort(free.Addr().String())
	require.NoError(t, free.Close())
	a := d.do("GET", "/proxy/"+gone+"/", "", wire.HeaderRequestID, "mine")
	require.Equal(t, "mine", a.header.Get(wire.HeaderRequestID))
	require.Equal(t, "RUNTIME_ERROR", a.problem(t, 502))
	require.Contains(t, a.body, "Bad Gateway")
}
