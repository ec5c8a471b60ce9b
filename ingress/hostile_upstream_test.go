package ingress_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Answers that are no HTTP/1.1, or two things at once (threat row B2). The connection
// stays open, as a hostile sandbox would have it.
func TestAnswersThatAreRefused(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	const chunks = "2\r\nok\r\n0\r\n\r\n"
	for name, answer := range map[string]string{
		"length and chunks":       ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"chunks and length":       ok + "transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n" + chunks,
		"both in a 204":           "HTTP/1.1 204 No\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
		"two lengths":             ok + "Content-Length: 3\r\nContent-Length: 2\r\n\r\nabc",
		"a list of lengths":       ok + "Content-Length: 2, 2\r\n\r\nok",
		"a signed length":         ok + "Content-Length: +2\r\n\r\nok",
		"chunked twice":           ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"another encoding":        ok + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunks,
		"chunks in HTTP/1.0":      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
		"a folded encoding":       ok + "Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks,
		"a folded length":         ok + "Content-Length:\r\n 2\r\n\r\nok",
		"a folded field":          ok + "X-A: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok",
		"a blank before a colon":  ok + "Content-Length : 2\r\n\r\nok",
		"a field without a name":  ok + ": x\r\n\r\n",
		"a field without a colon": ok + "X-A\r\nContent-Length: 2\r\n\r\nok",
		"a bare CR":               ok + "X-A: 1\rContent-Length: 5\r\nContent-Length: 2\r\n\r\nok",
		"a NUL":                   ok + "X-A: \x00\r\nContent-Length: 2\r\n\r\nok",
		"no HTTP":                 "SSH-2.0-OpenSSH\r\n",
		"HTTP/2":                  "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"a status of two digits":  "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
		"a status of four digits": "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
		"a status below 100":      "HTTP/1.1 042 X\r\nContent-Length: 0\r\n\r\n",
		"an endless field":        ok + "X-A: " + strings.Repeat("a", 1<<20),
		"an endless head":         ok + strings.Repeat("X-A: aaaaaaaa\r\n", 1<<16),
		"33 interim answers":      strings.Repeat("HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n", 33) + ok + "Content-Length: 2\r\n\r\nok",
		"an unasked 101":          "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + forged,
		"a 101 without a word":    "HTTP/1.1 101 Go\r\n\r\n" + forged,
		"33 options":              ok + "Connection: " + strings.Repeat("a,", 31) + "a\r\nConnection: b\r\nContent-Length: 2\r\n\r\nok",
		"options without end":     ok + "Connection: " + strings.Repeat("a,", 15000) + "\r\nContent-Length: 2\r\n\r\nok",
		"a late list of options":  ok + "Connection: " + strings.Repeat("a", 5000) + strings.Repeat(",a", 15000) + "\r\nContent-Length: 2\r\n\r\nok",
		"33 trailers":             ok + "Transfer-Encoding: chunked\r\nTrailer: " + strings.Repeat("a,", 32) + "a\r\n\r\n" + chunks,
		"257 fields":              ok + strings.Repeat("X-A: 1\r\n", 256) + "Content-Length: 2\r\n\r\nok",
		"64 KiB of hints":         strings.Repeat("HTTP/1.1 103 Hints\r\nLink: <"+strings.Repeat("a", 11<<10)+">\r\n\r\n", 6) + ok + "Content-Length: 2\r\n\r\nok",
		"options in hints":        "HTTP/1.1 103 Hints\r\nConnection: " + strings.Repeat("a,", 15000) + "\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nok",
		"a forged trailer":        ok + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n" + chunks,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			addr, conns := keepingBackend(t, func(r *http.Request) string {
				if r.URL.Path == "/victim" {
					return "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine"
				}
				return answer
			})
			e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
			res, body := e.do(t, direct("8080").request(t, e, "GET", "/attack", nil))
			require.Equal(t, 502, res.StatusCode)
			require.Equal(t, ingress.CodeConnectionFailed, code(t, body))
			before := conns.Load()
			_, body = e.do(t, direct("8080").request(t, e, "GET", "/victim", nil))
			require.Equal(t, "mine", body)
			require.Greater(t, conns.Load(), before, "the connection was given up")
		})
	}
}

// Answers that pass, on connections that nobody gets again.
func TestDoubtfulConnectionsAreNotPooled(t *testing.T) {
	for name, c := range map[string]struct{ method, answer, body string }{
		"HEAD":                     {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", ""},
		"204 with a length":        {"GET", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", ""},
		"304 with a length":        {"GET", "HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n", ""},
		"204 with an encoding":     {"GET", "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
		"bare line feeds":          {"GET", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok"},
		"a bare line feed":         {"GET", "HTTP/1.1 200 OK\r\nX-A: 1\nContent-Length: 2\r\n\r\nok", "ok"},
		"HTTP/1.0":                 {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "ok"},
		"closing":                  {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok"},
		"closing, among others":    {"GET", "HTTP/1.1 200 OK\r\nConnection: X-Request-ID, CLOSE\r\nContent-Length: 2\r\n\r\nok", "ok"},
		"bytes after a length":     {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokk", "ok"},
		"bytes after chunks":       {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n", "ok"},
		"32 interim answers, late": {"GET", strings.Repeat("HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n", 32) + "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			addr, conns := keepingBackend(t, func(*http.Request) string { return c.answer })
			e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
			for i := range 5 {
				res, body := e.do(t, direct("8080").request(t, e, c.method, "/", nil))
				require.Less(t, res.StatusCode, 400, body)
				require.Equal(t, c.body, body)
				require.EqualValues(t, i+1, conns.Load())
			}
		})
	}
}

// Two clients alternate on one sandbox whose application mixes everything up: each gets
// its own answer or an error, never a byte of the other's.
func TestNobodyReadsTheAnswerOfAnother(t *testing.T) {
	extras := []string{
		"", forged, "\r\n", "\x00", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Hints\r\n\r\n", "0\r\n\r\n",
		strings.Repeat(forged, 200),
	}
	heads := []string{
		"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n",
		"HTTP/1.1 204 No\r\nX-Length: %d\r\n\r\n",
		"HTTP/1.1 304 No\r\nContent-Length: %d\r\n\r\n",
		"HTTP/1.1 103 Hints\r\nX-Length: %d\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Length: %d\r\n\r\n40\r\n",
	}
	e := newEdge(t)
	addr, _ := keepingBackend(t, func(r *http.Request) string {
		var head, extra int
		_, _ = fmt.Sscanf(r.URL.RawQuery, "%d-%d", &head, &extra)
		own := fmt.Sprintf("%-64s", "for "+r.Header.Get("X-Client"))
		text := fmt.Sprintf(heads[head], len(own)) + own
		if head == len(heads)-1 {
			text += "\r\n0\r\n\r\n"
		}
		return text + extras[extra]
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	for n := range 2 * len(heads) * len(extras) {
		client := fmt.Sprintf("client-%d", n%2)
		query := fmt.Sprintf("/?%d-%d", n/2%len(heads), n/2/len(heads)%len(extras))
		for _, method := range []string{"GET", "HEAD", "POST"} {
			r := direct("8080").request(t, e, method, query, nil)
			r.Header.Set("X-Client", client)
			res, body := e.do(t, r)
			require.NotContains(t, res.Header, "X-Forged")
			require.NotContains(t, body, "forged")
			if res.StatusCode == 200 && body != "" {
				require.Equal(t, "for "+client, strings.TrimSpace(body))
			}
		}
	}
}

// What comes between two answers belongs to none.
func TestBytesOnAnIdleConnectionReachNobody(t *testing.T) {
	if core == upstream.NetHTTP {
		t.Skip("net/http notices such bytes in a goroutine of its own, when that runs")
	}
	e := newEdge(t)
	sent := make(chan struct{}, 1)
	l := listen(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		if n, err := c.Read(buf); n == 0 || err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
		time.AfterFunc(10*time.Millisecond, func() {
			_, _ = io.WriteString(c, forged)
			sent <- struct{}{}
		})
		_, _ = io.Copy(io.Discard, c)
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
	for range 10 {
		res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
		require.Equal(t, "mine", body)
		require.NotContains(t, res.Header, "X-Forged")
		<-sent
	}
}

// An answer before the end of the request: the client has it, the connection is over.
func TestAnEarlyAnswerEndsTheConnection(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	l := listen(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if !strings.Contains(string(buf[:n]), "/attack") {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
				continue
			}
			// The rest of the body may look like a request; none must come of it.
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
		}
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
	for _, length := range []int64{1 << 20, -1} {
		out, in := io.Pipe()
		r := direct("8080").request(t, e, "POST", "/attack", out)
		r.ContentLength = length
		go func() { _, _ = io.WriteString(in, "x") }()
		res, err := e.client.Transport.RoundTrip(r)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "early", string(body))
		_ = in.CloseWithError(io.ErrUnexpectedEOF)
		_ = res.Body.Close()
		for range 3 {
			_, answer := e.do(t, direct("8080").request(t, e, "GET", "/victim", nil))
			require.Equal(t, "mine", answer)
		}
	}
}

// The sandbox cannot have our headers removed, nor have its hop-by-hop ones pass.
func TestConnectionNamesNothingOfOurs(t *testing.T) {
	e := newEdge(t)
	addr, _ := rawBackend(t, "HTTP/1.1 200 OK\r\nConnection: X-Request-ID, X-Hop, Content-Length\r\nX-Request-ID: forged\r\nX-Hop: 1\r\nX-App: 1\r\nContent-Length: 2\r\n\r\nok")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	r := direct("8080").request(t, e, "GET", "/", nil)
	r.Header.Set("X-Request-ID", "mine")
	res, body := e.do(t, r)
	require.Equal(t, "ok", body)
	require.Equal(t, []string{"mine"}, res.Header["X-Request-Id"])
	require.NotContains(t, res.Header, "X-Hop")
	require.Equal(t, "1", res.Header.Get("X-App"))
}

// A big head passes; what is bigger than 64 KiB does not (TestAnswersThatAreRefused).
func TestABigHeadPasses(t *testing.T) {
	e := newEdge(t)
	big := strings.Repeat("a", 60<<10)
	addr, _ := keepingBackend(t, func(*http.Request) string {
		return "HTTP/1.1 200 OK\r\nX-Big: " + big + "\r\nContent-Length: 2\r\n\r\nok"
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, "ok", body)
	require.Equal(t, big, res.Header.Get("X-Big"))
}

// A connection that the sandbox closed while it rested costs no request, unless the
// request could have done something.
func TestAClosedIdleConnectionIsNoFailure(t *testing.T) {
	e := newEdge(t)
	closed := make(chan struct{}, 1)
	l := listen(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		if n, _ := c.Read(buf); n > 0 {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		_ = c.Close()
		closed <- struct{}{}
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
	for range 20 {
		res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
		require.Equal(t, 200, res.StatusCode, body)
		<-closed
	}
}

// A dialogue over request and answer is fine; that nobody is left with its connection is
// the price of not knowing which of the two ended first.
func TestAConnectionOfADialogueIsNotPooled(t *testing.T) {
	e := newEdge(t)
	var conns atomic.Int64
	l := listen(t, func(c net.Conn) {
		conns.Add(1)
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(c, "2\r\nok\r\n0\r\n\r\n")
		}
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
	for i := range 3 {
		out, in := io.Pipe()
		res, err := e.client.Transport.RoundTrip(direct("8080").request(t, e, "POST", "/", out))
		require.NoError(t, err, "the head is there before the body")
		_, _ = io.WriteString(in, "x")
		require.NoError(t, in.Close())
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "ok", string(body))
		require.NoError(t, res.Body.Close())
		if core != upstream.NetHTTP { // which looks at the end of both alone
			require.EqualValues(t, i+1, conns.Load())
		}
	}
}
