package lane_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }

// exchanges are answered by the lane exactly as by net/http's server.
var exchanges = []struct {
	name    string
	handler http.HandlerFunc
	raw     string
	method  string // "" = GET
	answers int    // 0 = one
	closes  bool
}{
	{name: "nothing", handler: func(http.ResponseWriter, *http.Request) {}},
	{name: "short", handler: text("hello")},
	{name: "page", handler: text("<html>")},
	{name: "no type", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_, _ = io.WriteString(w, "<html>")
	}},
	{name: "encoded", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = io.WriteString(w, "x")
	}},
	{name: "long", handler: text(strings.Repeat("x", 100_000))},
	{name: "many short", handler: func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			_, _ = io.WriteString(w, "0123456789")
		}
	}},
	{name: "declared", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "50000")
		for range 5 {
			_, _ = io.WriteString(w, strings.Repeat("y", 10000))
		}
	}},
	{name: "too little", closes: true, handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "x")
	}},
	{name: "too much", closes: true, handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1")
		_, _ = io.WriteString(w, "x")
		if _, err := io.WriteString(w, "yz"); err != http.ErrContentLength { //nolint:errorlint // as net/http returns it
			panic(err)
		}
	}},
	{name: "flushed", handler: func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "data: 1\n")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "data: 2\n")
	}},
	{name: "flushed before content", handler: func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
	}},
	{name: "head", method: "HEAD", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "7")
	}},
	{name: "head, written", method: "HEAD", handler: text("hello")},
	{name: "head, much written", method: "HEAD", handler: text(strings.Repeat("x", 9000))},
	{name: "head, nothing", method: "HEAD", handler: func(http.ResponseWriter, *http.Request) {}},
	{name: "204", handler: status(204)},
	{name: "204 with a length", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		w.WriteHeader(204)
		if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed { //nolint:errorlint // as net/http returns it
			panic(err)
		}
	}},
	{name: "304", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "x/y")
		w.Header().Set("Etag", `"1"`)
		w.WriteHeader(304)
	}},
	{name: "status without a name", handler: status(599)},
	{name: "one status counts", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(500)
	}},
	{name: "headers after the head", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(200)
		w.Header().Set("X-Late", "1")
	}},
	{name: "odd headers", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["X-Two"] = []string{"1", "2"}
		w.Header()["X-None"] = nil
		w.Header()["bad name"] = []string{"x"}
		w.Header()["X-Lines"] = []string{" a\r\nSet-Cookie: b \n"}
	}},
	{name: "own date", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "yesterday")
	}},
	{name: "trailers", handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-A")
		_, _ = io.WriteString(w, "x")
		w.Header().Set("X-A", "1")
		w.Header().Set("X-B", "2")
	}},
	{name: "trailers not announced", handler: func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"X-A", "1")
	}},
	{name: "wants to close", closes: true, handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "x")
	}},
	{name: "client closes", closes: true, handler: text("x"), raw: "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
	{name: "pipelined", handler: echo, raw: get("/1") + get("/2") + get("/3"), answers: 3},
	{name: "content", handler: echo, raw: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get("/2"), answers: 2},
	{name: "chunks", handler: echo, raw: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n" + get("/2"), answers: 2},
	{name: "a line too many", handler: echo, raw: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\n" + get("/2"), answers: 2},
	{name: "content nobody reads", handler: text("x"), raw: "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get("/2"), answers: 2},
	{name: "aborted", closes: true, handler: func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}},
	{name: "expects and gets", handler: echo, raw: "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", answers: 2},
	{name: "expects in vain", closes: true, handler: text("no"), raw: "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"},
	{name: "early hints", answers: 2, handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</x>")
		w.WriteHeader(103)
		w.WriteHeader(200)
	}},
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

func status(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s %s %s %v %d %v %q %v %v", r.Method, r.RequestURI, r.Host, r.TransferEncoding, r.ContentLength, r.Header, body, err, r.Trailer)
}

func TestAlike(t *testing.T) {
	for _, c := range exchanges {
		t.Run(c.name, func(t *testing.T) {
			if c.method == "" {
				c.method = http.MethodGet
			}
			if c.raw == "" {
				c.raw = strings.Replace(get("/"), "GET", c.method, 1)
			}
			run := func(inLane bool) (all []answer) {
				peer := serve(t, inLane, c.handler).dial(t).send(c.raw)
				for range max(1, c.answers) {
					all = append(all, peer.answer(c.method))
				}
				if c.closes {
					peer.ends()
					return all
				}
				return append(all, peer.send(get("/last")).answer(c.method))
			}
			require.Equal(t, run(false), run(true))
		})
	}
}

// What the lane leaves to the other server comes back byte by byte.
func TestHandedBack(t *testing.T) {
	for name, raw := range map[string]string{
		"declined":        get("/declined"),
		"with content":    "POST /declined HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd" + get("/"),
		"HTTP/1.0":        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
		"no host":         "GET / HTTP/1.1\r\n\r\n",
		"odd host":        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
		"absolute target": "GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
		"star":            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"tunnel":          "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
		"odd method":      "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
		"odd target":      "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
		"control value":   "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
		"odd expectation": "GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n",
		"large head":      "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 8<<10),
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, true, text("served"))
			s.dial(t).send(raw)
			back := <-s.back
			require.True(t, strings.HasPrefix(raw, string(back)), "%q", back)
			require.GreaterOrEqual(t, len(back), min(len(raw), 8<<10))

			s.dial(t).send(get("/") + raw)
			require.Equal(t, back, (<-s.back)[:len(back)], "also after a request that was served")
		})
	}
}

func TestARefusedHeadIsHandedBack(t *testing.T) {
	s := serve(t, true, text("served"))
	s.dial(t).send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
	require.Equal(t, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n:\r\n\r\n", string(<-s.back))
}

func TestBothServersRefuseAlike(t *testing.T) {
	for _, inLane := range []bool{false, true} {
		read := make(chan error, 1)
		s := serve(t, inLane, func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			read <- err
		})
		s.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n" + get("/smuggled"))
		require.Error(t, <-read)
		select {
		case <-read:
			t.Fatal("a second request was seen")
		case <-time.After(50 * time.Millisecond):
		}
	}
}
