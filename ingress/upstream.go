package ingress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Bounds of connections to sandboxes. How long a sandbox may take to begin its answer is
// not bounded: that is the client's business.
const (
	dialTimeout = 10 * time.Second
	// execdPatience is how long a refused connection to execd is tried again: a sandbox
	// that just started or resumed may need a moment. Other ports are answered at once.
	execdPatience     = 500 * time.Millisecond
	maxResponseHeader = 64 << 10
	maxIdlePerPort    = 64
	idleTimeout       = 60 * time.Second
)

// Upstreams owns the connections to all sandboxes, pooled per generation: an address
// that was reused by another sandbox never gets a connection or a request of the former
// one. It outlives handlers, so that a reload keeps connections and streams.
// It is safe for concurrent use.
type Upstreams struct {
	confirm  func(context.Context, *lifecycle.Entry) error
	metrics  *Metrics
	patience time.Duration // execdPatience

	generations sync.Map // uint64 → *upstream
	closed      context.Context
	close       context.CancelFunc
	opening     sync.Mutex // orders a new pool before or after Close
	ending      sync.WaitGroup
}

// errClosed is what requests get after Close.
var errClosed = errors.New("the server is stopping")

// NewUpstreams makes an empty pool; directory confirms addresses between connect and
// first byte. metrics may be nil.
func NewUpstreams(directory Directory, metrics *Metrics) *Upstreams {
	if metrics == nil {
		metrics = newMetrics()
	}
	u := &Upstreams{confirm: directory.Confirm, metrics: metrics, patience: execdPatience}
	u.closed, u.close = context.WithCancel(context.Background())
	return u
}

// Close cuts every connection and stream and waits until they are closed.
func (u *Upstreams) Close() {
	u.opening.Lock()
	u.close()
	u.opening.Unlock()
	u.ending.Wait()
}

// of returns the pool of the entry's generation.
func (u *Upstreams) of(e *lifecycle.Entry) (*upstream, error) {
	if v, ok := u.generations.Load(e.Generation); ok {
		return v.(*upstream), nil
	}
	u.opening.Lock()
	defer u.opening.Unlock()
	if e.Ctx.Err() != nil {
		return nil, &dialError{ended(e)}
	}
	if u.closed.Err() != nil {
		return nil, &dialError{errClosed}
	}
	if v, ok := u.generations.Load(e.Generation); ok {
		return v.(*upstream), nil // another request was quicker
	}
	// The pool ends with its generation, or with us. Whichever comes first, even
	// while it is being made, the goroutine below runs once.
	ctx, cancel := context.WithCancel(e.Ctx)
	stop := context.AfterFunc(u.closed, cancel)
	fresh := newUpstream(u, e, ctx)
	u.generations.Store(e.Generation, fresh)
	u.ending.Add(1)
	context.AfterFunc(ctx, func() {
		defer u.ending.Done()
		stop()
		cancel()
		u.generations.Delete(e.Generation)
		fresh.end()
	})
	return fresh, nil
}

// upstream is the pool of one generation of one sandbox, for all its ports.
type upstream struct {
	owner     *Upstreams
	entry     *lifecycle.Entry
	ctx       context.Context // ends with the generation, or with the owner
	execd     string          // address of execd, "" if unknown
	transport *http.Transport

	mu    sync.Mutex
	conns map[*conn]struct{}
	over  bool
}

func newUpstream(owner *Upstreams, e *lifecycle.Entry, ctx context.Context) *upstream {
	up := &upstream{owner: owner, entry: e, ctx: ctx, conns: make(map[*conn]struct{})}
	if addr, ok := e.Dial(wire.PortExecd); ok {
		up.execd = addr.String()
	}
	up.transport = &http.Transport{
		Proxy:                  nil, // HTTP_PROXY is for the server's own calls (contract 04 D20)
		DialContext:            up.dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdlePerPort,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxResponseHeader,
		ExpectContinueTimeout:  time.Second,
	}
	return up
}

// conn is a connection that its pool can cut, and that ends with an answer too long.
type conn struct {
	net.Conn
	pool    *upstream
	framing *framing
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) { return c.framing.Read(p) }

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.framing.sending(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// CloseWrite ends what goes to the sandbox on a switched connection.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

func (c *conn) Close() error {
	c.pool.mu.Lock()
	delete(c.pool.conns, c)
	c.pool.mu.Unlock()
	return c.Conn.Close()
}

// add takes a connection into the pool unless its generation is over.
func (up *upstream) add(c net.Conn) (net.Conn, error) {
	up.mu.Lock()
	defer up.mu.Unlock()
	if up.over {
		return nil, up.cause()
	}
	tracked := &conn{Conn: c, pool: up, framing: newFraming(c)}
	up.conns[tracked] = struct{}{}
	return tracked, nil
}

// end cuts all connections, idle and busy.
func (up *upstream) end() {
	up.mu.Lock()
	up.over = true
	conns := up.conns
	up.conns = make(map[*conn]struct{})
	up.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
	}
	up.transport.CloseIdleConnections()
}

func (up *upstream) cause() error {
	if err := ended(up.entry); err != nil {
		return err
	}
	return errClosed
}
