package listener

import (
	"io"
	"time"
)

// Read implements net.Conn. Whoever serves the connection, net/http or the lane of
// package ingress/lane, reads requests that the guard has let pass (threat row B1). Over
// TLS the guard sees no request.
func (c *trackedConn) Read(p []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(p, c.unread)
		c.unread = c.unread[n:]
		return n, nil
	}
	return c.guard.Read(c.TCPConn, p)
}

// WriteTo implements io.WriterTo: splicing is for what no guard has to see.
func (c *trackedConn) WriteTo(w io.Writer) (int64, error) {
	if c.guard.Watching() || len(c.unread) > 0 {
		return io.Copy(w, struct{ io.Reader }{c})
	}
	return c.TCPConn.WriteTo(w)
}

// SetDeadline implements net.Conn. Taking all deadlines away is what net/http does, and
// nobody else, when a handler hijacks the connection; the requests may end there.
func (c *trackedConn) SetDeadline(t time.Time) error {
	if t.IsZero() {
		c.guard.Hijacked()
	}
	return c.TCPConn.SetDeadline(t)
}
