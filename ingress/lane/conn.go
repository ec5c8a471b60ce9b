package lane

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// headBuffer holds the head of a request, whole: a larger one goes back.
const headBuffer = 8 << 10

// conn is one connection in the lane, served by one goroutine.
type conn struct {
	lane    *Lane
	rwc     Conn
	handler Handler
	in      *bufio.Reader
	remote  string

	waiting sync.Mutex
	idle    bool // waits for a request

	deadline time.Time // for reading, as far as it is set; zero = not known
	head     []byte    // of the current request, as it came; in the buffer until the watch begins
	posted   bool      // the last request was a POST
	response response  // of the current request
	watch    watch
}

func newConn(l *Lane, t Taken) *conn {
	one := &conn{lane: l, rwc: t.Conn, handler: t.Handler, remote: t.Conn.RemoteAddr().String()}
	one.in = bufio.NewReaderSize(&source{conn: t.Conn, unread: append(framing(t.First), t.Unread...)}, headBuffer)
	one.watch.init(one)
	return one
}

// source reads what was read before the connection was taken over, and then from it.
type source struct {
	conn   io.Reader
	unread []byte
}

func (s *source) Read(p []byte) (int, error) {
	if len(s.unread) > 0 {
		n := copy(p, s.unread)
		if s.unread = s.unread[n:]; len(s.unread) == 0 {
			s.unread = nil
		}
		return n, nil
	}
	return s.conn.Read(p)
}

// serve is the life of the connection in the lane.
func (c *conn) serve(first *http.Request) {
	defer c.lane.forget(c)
	_ = c.rwc.SetWriteDeadline(time.Time{}) // the other server may have left one
	if first != nil && !c.serveFirst(first) {
		return
	}
	for c.await() && c.next() {
	}
}

// serveFirst serves the request that was taken over with the connection.
func (c *conn) serveFirst(r *http.Request) bool {
	framed, err := http.ReadRequest(c.in) // what framing wrote
	if err != nil {
		_ = c.rwc.Close()
		return false
	}
	r.Body, r.Trailer = framed.Body, framed.Trailer
	r.Close = r.Close || c.lane.draining.Load()
	switch c.exchange(r) {
	case declined:
		_ = c.rwc.Close() // nobody else can answer it: its head is gone
		return false
	case over:
		return false
	}
	c.posted = r.Method == http.MethodPost
	return true
}

// await waits for the first byte of the next request; otherwise it closes the connection.
func (c *conn) await() bool {
	if c.in.Buffered() == 0 {
		c.expect(c.lane.opts.IdleTimeout())
		c.setIdle(true)
		if c.lane.draining.Load() {
			_ = c.rwc.Close()
			return false
		}
		_, err := c.in.Peek(1)
		c.setIdle(false)
		if err != nil {
			_ = c.rwc.Close()
			return false
		}
	}
	if c.posted {
		// RFC 9112 §2.2: some clients end the content of a POST with a line too many.
		for range 2 {
			if two, _ := c.in.Peek(min(2, c.in.Buffered())); string(two) == "\r\n" {
				_, _ = c.in.Discard(2)
			}
		}
		c.posted = false
		return c.await()
	}
	return true
}

// expect bounds the client's silence. Setting a deadline costs more than looking at the
// clock, so it is set ahead and renewed when less than idle is left.
func (c *conn) expect(idle time.Duration) {
	now := time.Now()
	if left := c.deadline.Sub(now); left < idle || left > idle*2 {
		c.setReadDeadline(now.Add(idle + idle/4))
	}
}

func (c *conn) setReadDeadline(t time.Time) {
	c.deadline = t
	_ = c.rwc.SetReadDeadline(t)
}

func (c *conn) setIdle(idle bool) {
	c.waiting.Lock()
	defer c.waiting.Unlock()
	c.idle = idle
	c.rwc.Rest(idle)
}

// wake ends the wait for a request.
func (c *conn) wake() {
	c.waiting.Lock()
	defer c.waiting.Unlock()
	if c.idle {
		_ = c.rwc.SetReadDeadline(time.Unix(1, 0))
	}
}

// abort ends the connection and with it its handler, when that looks: in this order, so
// that what a cancelled handler leaves behind is not sent as a whole answer.
func (c *conn) abort() {
	_ = c.rwc.Close()
	c.watch.cancelRequest()
}

// next reads and serves one request and tells whether the connection goes on here.
func (c *conn) next() bool {
	head, ok := c.readHead()
	if !ok {
		_ = c.rwc.Close()
		return false
	}
	if head == 0 {
		c.handBack(c.buffered())
		return false
	}
	raw := c.buffered() // stays as it is while the head is parsed
	c.head = raw[:head]
	r := c.parse()
	if r == nil {
		c.handBack(raw)
		return false
	}
	switch c.exchange(r) {
	case declined:
		c.handBack(append(bytes.Clone(c.head), c.buffered()...))
		return false
	case over:
		return false
	}
	c.posted = r.Method == http.MethodPost
	return true
}

func (c *conn) buffered() []byte {
	all, _ := c.in.Peek(c.in.Buffered())
	return all
}

// readHead reads on until a head is complete and returns its length, 0 when it is too
// large.
func (c *conn) readHead() (int, bool) {
	waiting := false
	for {
		have := c.buffered()
		if end := bytes.Index(have, []byte("\r\n\r\n")); end >= 0 {
			return end + 4, true
		}
		if len(have) == headBuffer {
			return 0, true
		}
		if !waiting {
			c.setReadDeadline(time.Now().Add(c.lane.opts.HeadTimeout))
			waiting = true
		}
		if _, err := c.in.Peek(len(have) + 1); err != nil {
			return 0, false
		}
	}
}

func (c *conn) handBack(unread []byte) {
	c.lane.forget(c)
	c.rwc.HandBack(unread)
}

// outcome is what became of the connection in one exchange.
type outcome uint8

const (
	kept     outcome = iota // the next request may come
	declined                // the request is not for the lane
	over                    // closed, or hijacked
)

// exchange serves one request.
func (c *conn) exchange(r *http.Request) (end outcome) {
	ctx, cancel := context.WithCancel(context.Background())
	content := c.begin(r, cancel)
	defer cancel()
	w := &c.response
	w.reset(c, r, content)
	r = r.WithContext(ctx)
	if content != nil {
		content.served = r
	}

	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				c.lane.opts.Logger.Error("a request's handler panicked", "panic", p, "stack", string(debug.Stack()))
			}
			c.watch.end()
			end = over
			if !w.hijacked {
				_ = c.rwc.Close()
			}
		}
		w.release()
	}()
	if !c.handler(w, r) {
		c.watch.end()
		return declined
	}
	c.watch.end()
	if w.hijacked {
		return over
	}
	cancel()
	keep := w.finish()
	if content != nil && !content.finish(keep) || !keep {
		c.closeGently(content)
		return over
	}
	return kept
}

// begin prepares the reading side for a request.
func (c *conn) begin(r *http.Request, cancel context.CancelFunc) *content {
	r.RemoteAddr = c.remote
	var body *content
	if r.Body != nil && r.Body != http.NoBody {
		body = newContent(c, r)
		r.Body = body
	}
	c.watch.begin(cancel, body == nil)
	return body
}

// closing bounds how long a client may take to notice an answer that came before the end
// of what it sends. Closing at once could reset the connection and take the answer away.
const closing = 500 * time.Millisecond

func (c *conn) closeGently(content *content) {
	defer func() { _ = c.rwc.Close() }()
	if content == nil || content.ended() {
		return
	}
	half, ok := c.rwc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	c.setReadDeadline(time.Now().Add(closing))
	_, _ = io.Copy(io.Discard, c.in)
}
