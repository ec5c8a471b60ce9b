package listener

import (
	"io"
	"time"
)

// Read implements net.Conn. Whoever serves the connection, net/http or the lane of
// package ingress/lane, reads requests that the guard has let pass (threat row B1). Over
// TLS the guard sees no request.
func (c *trackedConn) Read(p []byte) (int, error) {
	if c.server.waits.Load() {
		return c.readNext(p)
	}
	if c.server.fresh.Load() {
		c.server.fresh.Store(false)
	}
	return c.guard.Read((*raw)(c), p)
}

// raw is what the guard reads from.
type raw trackedConn

func (c *raw) Read(p []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(p, c.unread)
		if c.unread = c.unread[n:]; len(c.unread) == 0 {
			c.unread = nil
		}
		return n, nil
	}
	return c.TCPConn.Read(p)
}

// WriteTo implements io.WriterTo: splicing is for what no guard has to see.
func (c *trackedConn) WriteTo(w io.Writer) (int64, error) {
	if c.guard.Watching() || len(c.unread) > 0 {
		return io.Copy(w, struct{ io.Reader }{c})
	}
	return c.TCPConn.WriteTo(w)
}

// SetDeadline implements net.Conn. Taking all deadlines away is what net/http does, and
// nobody else, when a handler hijacks the connection. No request follows then, unless the
// handler has said so before.
func (c *trackedConn) SetDeadline(t time.Time) error {
	if t.IsZero() && !c.kept {
		c.guard.Release()
	}
	return c.TCPConn.SetDeadline(t)
}

// Keep implements lane.Conn.
func (c *trackedConn) Keep() { c.kept = true }

// Release implements lane.Conn.
func (c *trackedConn) Release() { c.guard.Release() }
