package lane

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a client's connection. Its reads are guarded (package guard).
type Conn interface {
	net.Conn
	// Keep tells, before the connection is hijacked from its server, that requests go on.
	Keep()
	// Release tells that no further request comes: what follows is another protocol.
	Release()
	// HandBack gives the connection to the server it came from, as if it had just been
	// accepted, with the bytes that were read and not used.
	HandBack(unread []byte)
	// Rest tells that the connection waits for a request, or that it no longer does.
	Rest(waits bool)
}

// Handler answers a request and returns true, or returns false without having touched
// anything but the response's header: then the connection goes back. The context of the
// request ends when the client goes away or the handler returns. The ResponseWriter has
// all that net/http's has for HTTP/1.1, and implements Answer.
type Handler func(http.ResponseWriter, *http.Request) bool

// Answer tells what has become of a request, when its handler returns.
type Answer interface {
	// Status is the status that was sent, 101 when the connection was hijacked, 0 = none.
	Status() int
	// Size is how many bytes of content were written, Received how many were read.
	Size() int
	Received() int
}

// Taken is a connection on its way into a lane.
type Taken struct {
	Conn    Conn
	Handler Handler
	// First is a request whose head the other server has read, and nothing behind it; nil =
	// none. Its Body is not used.
	First *http.Request
	// Unread is what the other server has in its buffer.
	Unread []byte
	// Ready is closed when the other server is through with First; nil = it is.
	Ready <-chan struct{}
}

// ContentTimeout is how long a client that has begun a request may send nothing of its
// content while somebody waits for that (threat row X2).
const ContentTimeout = 15 * time.Minute

// Options configure a Lane.
type Options struct {
	// IdleTimeout is how long a connection may wait for its next request, in force at the
	// time of the call; the connection may live up to a quarter longer. nil = 30 s.
	IdleTimeout func() time.Duration
	// HeadTimeout bounds the time from the first byte of a head to its last. 0 = 10 s.
	HeadTimeout time.Duration
	// ContentTimeout is how long a client may be silent while a handler reads what it has
	// announced; it may be a quarter longer. 0 = the constant of that name.
	ContentTimeout time.Duration
	// InterimTimeout is how long a client may take to receive one interim answer. 0 = 30 s.
	InterimTimeout time.Duration
	Logger         *slog.Logger // nil = none
}

// Lane is a set of connections that were taken over. It is safe for concurrent use.
type Lane struct {
	opts     Options
	draining atomic.Bool
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{} // without the hijacked ones
	empty chan struct{}      // closed when conns falls empty while draining
}

// New returns a lane without connections.
func New(o Options) *Lane {
	if o.IdleTimeout == nil {
		o.IdleTimeout = func() time.Duration { return 30 * time.Second }
	}
	if o.HeadTimeout == 0 {
		o.HeadTimeout = 10 * time.Second
	}
	if o.ContentTimeout == 0 {
		o.ContentTimeout = ContentTimeout
	}
	if o.InterimTimeout == 0 {
		o.InterimTimeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Lane{opts: o, conns: map[*conn]struct{}{}, empty: make(chan struct{})}
}

// Take serves a connection from now on. It returns false, and does nothing, when the lane
// is closing.
func (l *Lane) Take(t Taken) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.draining.Load() {
		return false
	}
	c := newConn(l, t)
	l.conns[c] = struct{}{}
	l.wg.Go(func() {
		if t.Ready != nil {
			<-t.Ready
		}
		c.serve(t.First)
	})
	return true
}

// Len returns how many connections are in the lane, hijacked ones aside.
func (l *Lane) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

// forget takes out a connection that has ended, was hijacked or went back.
func (l *Lane) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.conns[c]; !there {
		return
	}
	delete(l.conns, c)
	if len(l.conns) == 0 && l.draining.Load() {
		close(l.empty)
	}
}

// Shutdown takes no more connections, closes the idle ones and lets every other one end
// after its current request. It returns when all have ended, or with ctx's error.
// Hijacked connections are their handlers' own.
func (l *Lane) Shutdown(ctx context.Context) error {
	l.mu.Lock()
	if !l.draining.Swap(true) && len(l.conns) == 0 {
		close(l.empty)
	}
	for c := range l.conns {
		c.wake()
	}
	l.mu.Unlock()
	select {
	case <-l.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends all connections but the hijacked ones at once and waits for every handler
// to return.
func (l *Lane) Close() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = l.Shutdown(ended)
	l.mu.Lock()
	for c := range l.conns {
		c.abort()
	}
	l.mu.Unlock()
	l.wg.Wait()
}
