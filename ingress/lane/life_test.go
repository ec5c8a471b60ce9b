package lane_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/lane"
)

// A client that goes away ends the request's context, before, in and after the content.
func TestAClientThatGoesAwayCancels(t *testing.T) {
	for name, raw := range map[string]string{
		"without content": get("/"),
		"after content":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			began, ended := make(chan struct{}), make(chan error, 1)
			s := serve(t, true, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				close(began)
				select {
				case <-r.Context().Done():
					ended <- context.Cause(r.Context())
				case <-time.After(patience):
					ended <- nil
				}
			})
			c := s.dial(t).send(raw)
			<-began
			require.NoError(t, c.Close())
			require.ErrorIs(t, <-ended, context.Canceled)
		})
	}
}

// The watch for a client that goes away must not lose what a client sends.
func TestALongRequestKeepsTheNextOne(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			<-release
		}
		echo(w, r)
	})
	for range 3 {
		c := s.dial(t).send(get("/long"))
		time.AfterFunc(150*time.Millisecond, func() { release <- struct{}{} }) // the watch has begun by then
		require.Contains(t, c.answer("GET").Body, "/long")
		require.Contains(t, c.send(get("/next")).answer("GET").Body, "/next")

		c.send(get("/long"))
		time.AfterFunc(150*time.Millisecond, func() {
			c.send(get("/early"))
			release <- struct{}{}
		})
		require.Contains(t, c.answer("GET").Body, "/long")
		require.Contains(t, c.answer("GET").Body, "/early")
	}
}

func TestHijack(t *testing.T) {
	s := serve(t, true, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		if _, err := w.Write([]byte("x")); err != http.ErrHijacked { //nolint:errorlint // as net/http returns it
			panic(err)
		}
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(conn, rw)
	})
	c := s.dial(t).send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	require.Equal(t, 101, c.answer("GET").Status)
	c.send("any\nthing")
	got := make([]byte, 9)
	_, err := io.ReadFull(c.in, got)
	require.NoError(t, err)
	require.Equal(t, "any\nthing", string(got))

	ctx, cancel := background(patience)
	defer cancel()
	require.NoError(t, s.lane.Shutdown(ctx), "a hijacked connection is its handler's own")
	require.NoError(t, c.Close())
}

func TestShutdownLetsRequestsEnd(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			close(began)
			<-release
		}
		_, _ = io.WriteString(w, "done")
	})
	idle := s.dial(t).send(get("/"))
	require.Equal(t, "done", idle.answer("GET").Body)
	busy := s.dial(t).send(get("/busy"))
	<-began
	short, stop := background(50 * time.Millisecond)
	defer stop()
	require.ErrorIs(t, s.lane.Shutdown(short), context.DeadlineExceeded)
	idle.ends()
	close(release)
	got := busy.answer("GET")
	require.Equal(t, "done", got.Body)
	busy.ends()
	ctx, cancel := background(patience)
	defer cancel()
	require.NoError(t, s.lane.Shutdown(ctx))
	s.dial(t).ends()
}

func TestCloseCutsRequests(t *testing.T) {
	began := make(chan struct{})
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})
	c := s.dial(t).send(get("/"))
	<-began
	s.lane.Close()
	_, err := c.in.ReadByte()
	require.Error(t, err)
}

func TestAPanicEndsTheConnectionAlone(t *testing.T) {
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("a defect")
		}
	})
	other := s.dial(t).send(get("/"))
	require.Equal(t, 200, other.answer("GET").Status)
	s.dial(t).send(get("/panic")).ends()
	require.Equal(t, 200, other.send(get("/")).answer("GET").Status)
}

func TestTimeouts(t *testing.T) {
	const short = 40 * time.Millisecond
	var idle atomic.Int64
	idle.Store(int64(patience))
	s := serveWith(t, true, lane.Options{IdleTimeout: func() time.Duration { return time.Duration(idle.Load()) }}, func(http.ResponseWriter, *http.Request) {
		idle.Store(int64(short)) // from the end of this request on
	})
	c := s.dial(t).send(get("/"))
	require.Equal(t, 200, c.answer("GET").Status)
	c.ends()
	s.dial(t).ends()
	serveWith(t, true, lane.Options{HeadTimeout: short}, text("x")).dial(t).send("GET / HTTP/1.1\r\nHost: a\r\n").ends()
}

// An answer before the end of the content reaches a client that only then looks for it.
func TestAnEarlyAnswerIsNotResetAway(t *testing.T) {
	s := serve(t, true, text("enough"))
	c := s.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
	go func() { _, _ = io.Copy(c, strings.NewReader(strings.Repeat("x", 5_000_000))) }()
	require.Equal(t, "enough", c.answer("POST").Body)
	c.ends()
}

// A handler may leave a reader of the content behind, as transports do.
func TestAContentReadTooLate(t *testing.T) {
	late := make(chan error, 1)
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		reading := make(chan struct{})
		go func() {
			buf := make([]byte, 1)
			close(reading)
			_, err := r.Body.Read(buf)
			late <- err
		}()
		<-reading
		_, _ = io.WriteString(w, "early")
	})
	c := s.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
	require.Equal(t, "early", c.answer("POST").Body)
	require.Error(t, <-late)
	c.ends()
}

func TestTheFirstRequestOfAnotherServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	s := &server{Listener: ln}
	o := lane.New(lane.Options{})
	defer o.Close()
	ready := make(chan struct{})
	go func() {
		peer, err := guardedListener{s}.Accept()
		if err != nil {
			panic(err)
		}
		in := bufio.NewReader(peer)
		first, err := http.ReadRequest(in)
		if err != nil {
			panic(err)
		}
		unread, _ := in.Peek(in.Buffered())
		o.Take(lane.Taken{Conn: peer.(*conn), Handler: handler(echo), First: first, Unread: unread, Ready: ready})
	}()
	c := s.dial(t).send("PUT /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n" + get("/2"))
	close(ready)
	first := c.answer("GET").Body
	require.Contains(t, first, "PUT /1 ")
	require.Contains(t, first, `"abc" <nil> map[X-T:[1]]`)
	require.Contains(t, c.answer("GET").Body, "GET /2 ")
	require.Contains(t, c.send(get("/3")).answer("GET").Body, "GET /3 ")
}
