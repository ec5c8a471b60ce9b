package lane_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/guard"
	"github.com/opensandbox-edge/edge/ingress/lane"
)

// hints sends interim answers until the client has no room for them, and its request ends.
func hints(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", strings.Repeat("x", 60<<10))
	for r.Context().Err() == nil {
		w.WriteHeader(http.StatusEarlyHints)
	}
}

// A write deadline frees a handler that is stuck in an interim answer (threat row A8).
func TestADeadlineFreesAStuckInterimAnswer(t *testing.T) {
	stuck, freed := make(chan struct{}), make(chan struct{})
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		defer close(freed)
		set := make(chan struct{})
		defer func() { <-set }()
		go func() {
			defer close(set)
			<-stuck
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now())
		}()
		hints(w, r)
	})
	s.dial(t).send(get("/"))
	time.AfterFunc(100*time.Millisecond, func() { close(stuck) }) // loopback is full by then
	select {
	case <-freed:
	case <-time.After(patience):
		t.Fatal("the handler is stuck")
	}
}

func TestAClientThatTakesNoInterimAnswerIsLeft(t *testing.T) {
	freed := make(chan struct{})
	s := serveWith(t, true, lane.Options{InterimTimeout: 50 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		defer close(freed)
		hints(w, r)
	})
	c := s.dial(t).send(get("/"))
	select {
	case <-freed:
	case <-time.After(patience):
		t.Fatal("the handler is stuck")
	}
	_, _ = io.Copy(io.Discard, c.in)
	require.Eventually(t, func() bool { return s.lane.Len() == 0 }, patience, time.Millisecond)
}

// The bound of one interim answer is none of what follows it.
func TestAnInterimAnswerLeavesNoDeadline(t *testing.T) {
	t.Parallel()
	const bound = 500 * time.Millisecond // nothing takes so long to be sent, on the slowest machine
	s := serveWith(t, true, lane.Options{InterimTimeout: bound}, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		<-time.After(bound + bound/2)
		_, _ = io.WriteString(w, "late")
	})
	c := s.dial(t)
	for range 2 {
		c.send(get("/"))
		require.Equal(t, http.StatusEarlyHints, c.answer("GET").Status)
		require.Equal(t, "late", c.answer("GET").Body)
	}
}

// A client that is silent in the middle of a content is not waited for (threat row X2).
func TestAClientOwesTheContentItAnnounced(t *testing.T) {
	for name, begin := range map[string]string{
		"length": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
		"chunks": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"none":   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			failed := make(chan error, 1)
			s := serveWith(t, true, lane.Options{ContentTimeout: 40 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.Copy(io.Discard, r.Body)
				failed <- err
			})
			c := s.dial(t).send(begin)
			require.ErrorIs(t, <-failed, os.ErrDeadlineExceeded)
			require.Equal(t, http.StatusOK, c.answer("POST").Status)
			c.ends()
		})
	}
}

// Nobody owes anything while nobody reads, or when everything has come.
func TestSilenceThatIsNotTheClients(t *testing.T) {
	const timeout = 20 * time.Millisecond
	s := serveWith(t, true, lane.Options{ContentTimeout: timeout}, func(w http.ResponseWriter, r *http.Request) {
		<-time.After(5 * timeout)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		select {
		case <-time.After(5 * timeout):
			_, _ = w.Write(body)
		case <-r.Context().Done():
		}
	})
	c := s.dial(t)
	for range 2 {
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
		require.Equal(t, "abc", c.answer("POST").Body)
	}
}

// A deadline that the handler sets ends a read, whatever the lane's own bound is.
func TestAHandlersReadDeadlineStands(t *testing.T) {
	failed := make(chan error, 2)
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		for range 2 {
			_, err := r.Body.Read(make([]byte, 1))
			failed <- err
		}
	})
	s.dial(t).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
	require.ErrorIs(t, <-failed, os.ErrDeadlineExceeded)
	require.ErrorIs(t, <-failed, os.ErrDeadlineExceeded)
}

// takeOne takes one connection into a lane, with its guard released when off is set.
func takeOne(t *testing.T, off bool, h lane.Handler) (*client, *server, *conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{Listener: ln, lane: lane.New(lane.Options{}), back: make(chan []byte, 1)}
	t.Cleanup(func() {
		_ = ln.Close()
		s.lane.Close()
	})
	c := s.dial(t)
	accepted, err := guardedListener{s}.Accept()
	require.NoError(t, err)
	one := accepted.(*conn)
	if off {
		one.guard = guard.Guard{}
		one.guard.Release()
	}
	require.True(t, s.lane.Take(lane.Taken{Conn: one, Handler: h}))
	return c, s, one
}

// However long it takes to decide that a request goes back, it goes back as it came, with
// everything that has come behind it.
func TestASlowDecisionGivesBackWhatCame(t *testing.T) {
	decide := make(chan struct{})
	c, s, one := takeOne(t, false, func(http.ResponseWriter, *http.Request) bool {
		<-decide
		return false
	})
	first, second := get("/first?"+strings.Repeat("a", 500)), get("/second?"+strings.Repeat("b", 900))
	c.send(first)
	time.AfterFunc(150*time.Millisecond, func() { c.send(second) }) // the watch has begun by then
	require.Eventually(t, func() bool { return one.read.Load() == int64(len(first+second)) }, patience, time.Millisecond)
	close(decide)
	require.Equal(t, first+second, string(<-s.back))
}

// What frames a request oddly goes back even if nobody watches below the lane.
func TestTheLaneRefusesOddFramingByItself(t *testing.T) {
	for name, raw := range map[string]string{
		"length and chunks":    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a length twice":       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"bare LF":              "GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: z\r\n\r\n",
		"bare LF ends a head":  "GET / HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"two hosts":            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"the preface of HTTP2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, s, _ := takeOne(t, true, func(http.ResponseWriter, *http.Request) bool {
				panic(errors.New("served"))
			})
			c.send(raw)
			require.Equal(t, raw, string(<-s.back))
		})
	}
}
