package listener

import (
	"time"

	"github.com/opensandbox-edge/edge/ingress/lane"
)

// Without it no connection would be kept, and nothing would say so.
var _ lane.Conn = (*trackedConn)(nil)

// HandBack gives a hijacked connection back: it is accepted again, by the newest
// configuration that listens, which first reads unread and then from the client. When the
// socket is closing, the connection is closed. It may wait for a listener to accept.
func (c *trackedConn) HandBack(unread []byte) { c.again(unread) }

// again has the connection accepted once more, as another one: whoever held this one can
// do nothing to it any more. unread begins a request.
func (c *trackedConn) again(unread []byte) {
	next := &trackedConn{TCPConn: c.TCPConn, origin: c.origin, client: c.client, reserved: c.reserved}
	next.guard, unread = c.guard.Again(unread)
	next.unread = append(append([]byte(nil), unread...), c.unread...)
	there := false
	c.once.Do(func() {
		there = true
		open.replace(c, next)
	})
	if there {
		_ = c.TCPConn.SetDeadline(time.Time{})
		c.origin.deliver(next)
	}
}
