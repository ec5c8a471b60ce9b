package lane_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/guard"
	"github.com/opensandbox-edge/edge/ingress/lane"
)

const patience = time.Minute

// conn is a guarded connection that records what was handed back, and ends there.
type conn struct {
	*net.TCPConn
	guard guard.Guard
	read  atomic.Int64 // bytes
	back  chan []byte
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.guard.Read(c.TCPConn, p)
	c.read.Add(int64(n))
	return n, err
}

// Keep implements lane.Conn.
func (c *conn) Keep() {}

// Release implements lane.Conn.
func (c *conn) Release() { c.guard.Release() }

// Rest implements lane.Conn.
func (c *conn) Rest(bool) {}

func (c *conn) HandBack(unread []byte) {
	c.back <- append([]byte(nil), unread...)
	_ = c.Close()
}

// server serves one handler, by the lane or by net/http.
type server struct {
	net.Listener
	lane *lane.Lane
	back chan []byte
}

// serve starts a server in the lane, or in net/http.
func serve(t *testing.T, inLane bool, h http.HandlerFunc) *server {
	t.Helper()
	return serveWith(t, inLane, lane.Options{}, h)
}

// handler declines one path.
func handler(h http.HandlerFunc) lane.Handler {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/declined" {
			return false
		}
		h(w, r)
		return true
	}
}

func serveWith(t *testing.T, inLane bool, o lane.Options, h http.HandlerFunc) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{Listener: ln, lane: lane.New(o), back: make(chan []byte, 16)}
	var wg sync.WaitGroup
	if !inLane {
		plain := &http.Server{Handler: h, ReadHeaderTimeout: patience, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		wg.Go(func() { _ = plain.Serve(guardedListener{s}) })
		t.Cleanup(func() { _ = plain.Close(); wg.Wait() })
		return s
	}
	wg.Go(func() {
		for {
			c, err := guardedListener{s}.Accept()
			if err != nil {
				return
			}
			if !s.lane.Take(lane.Taken{Conn: c.(*conn), Handler: handler(h)}) {
				_ = c.Close()
			}
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
		s.lane.Close()
	})
	return s
}

type guardedListener struct{ *server }

func (l guardedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{TCPConn: c.(*net.TCPConn), back: l.back}, nil
}

// client is one raw connection to a server.
type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (s *server) dial(t *testing.T) *client {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { _ = c.Close() })
	return &client{t, c, bufio.NewReader(c)}
}

func (c *client) send(raw string) *client {
	c.t.Helper()
	_, err := io.WriteString(c, raw)
	require.NoError(c.t, err)
	return c
}

// answer is what a client can see of an answer.
type answer struct {
	Status  int
	Header  http.Header
	Length  int64
	Coding  []string
	Close   bool
	Body    string
	Broken  bool // ended before its end
	Trailer http.Header
}

func (c *client) answer(method string) answer {
	c.t.Helper()
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	require.NoError(c.t, err)
	body, err := io.ReadAll(res.Body)
	require.NotContains(c.t, res.Header["Date"], "")
	res.Header.Del("Date")
	return answer{res.StatusCode, res.Header, res.ContentLength, res.TransferEncoding, res.Close, string(body), err != nil, res.Trailer}
}

// ends requires that the server closes the connection.
func (c *client) ends() {
	c.t.Helper()
	_, err := c.in.ReadByte()
	require.ErrorIs(c.t, err, io.EOF)
}

func background(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
