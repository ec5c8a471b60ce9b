package ingress_test

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// keepingBackend answers every request on a connection that it keeps, with what answer
// says for its path, and counts the connections.
func keepingBackend(t testing.TB, answer func(*http.Request) string) (net.Addr, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer func() { _ = c.Close() }()
				in := bufio.NewReader(c)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(c, answer(r))
				}
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr(), &conns
}

const forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Forged: 1\r\n\r\nforged"

// What a sandbox sends beyond its answer is nobody's answer.
func TestLeftoverBytesReachNobody(t *testing.T) {
	var std lines // Go's own logger, which net/http would write them to
	log.SetOutput(&std)
	t.Cleanup(func() {
		log.SetOutput(os.Stderr)
		require.Empty(t, std.buf.String())
	})
	for name, c := range map[string]struct{ method, answer, body string }{
		"after a length":          {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + forged, "ok"},
		"after an empty body":     {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + forged, ""},
		"after chunks":            {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-T: 1\r\n\r\n" + forged, "ok"},
		"204":                     {"GET", "HTTP/1.1 204 No Content\r\n\r\n" + forged, ""},
		"204 with a length":       {"GET", fmt.Sprintf("HTTP/1.1 204 No Content\r\nContent-Length: %d\r\n\r\n", len(forged)) + forged, ""},
		"204 with chunks":         {"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n" + forged, ""},
		"304":                     {"GET", "HTTP/1.1 304 Not Modified\r\n\r\n" + forged, ""},
		"304 with a length":       {"GET", fmt.Sprintf("HTTP/1.1 304 Not Modified\r\nContent-Length: %d\r\n\r\n", len(forged)) + forged, ""},
		"HEAD with a body":        {"HEAD", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(forged)) + forged, ""},
		"HEAD without a length":   {"HEAD", "HTTP/1.1 200 OK\r\n\r\n" + forged, ""},
		"after an interim answer": {"GET", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + forged, "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			addr, conns := keepingBackend(t, func(r *http.Request) string {
				if r.URL.Path == "/victim" {
					return "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"
				}
				return c.answer
			})
			e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
			for range 20 {
				before := conns.Load()
				res, body := e.do(t, direct("8080").request(t, e, c.method, "/attack", nil))
				require.Less(t, res.StatusCode, 400)
				require.Equal(t, c.body, body)
				res, body = e.do(t, direct("8080").request(t, e, "POST", "/victim", strings.NewReader("x")))
				require.Equal(t, 200, res.StatusCode, body)
				require.Equal(t, "mine", body)
				require.NotContains(t, res.Header, "X-Forged")
				require.Greater(t, conns.Load(), before, "the connection was not used again")
			}
		})
	}
}

// Honest answers share a connection.
func TestConnectionsAreKept(t *testing.T) {
	e := newEdge(t)
	long := strings.Repeat("0123456789abcdef", 4096)
	answers := map[string]string{
		"/length":  fmt.Sprintf("HTTP/1.1 200 OK\r\nX-Long: %s\r\nContent-Length: %d\r\n\r\n%s", long[:9000], len(long), long),
		"/chunks":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n" + long + "\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
		"/none":    "HTTP/1.1 204 No Content\r\n\r\n",
		"/cached":  "HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n",
		"/empty":   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"/interim": "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
	}
	bodies := map[string]string{"/length": long, "/chunks": long + "ok", "/interim": "ok"}
	addr, conns := keepingBackend(t, func(r *http.Request) string { return answers[r.URL.Path] })
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	for range 5 {
		for path := range answers {
			res, body := e.do(t, direct("8080").request(t, e, "POST", path, strings.NewReader("x")))
			require.Less(t, res.StatusCode, 400, "%s: %s", path, body)
			require.Equal(t, bodies[path], body, path)
		}
	}
	require.EqualValues(t, 1, conns.Load())
}
