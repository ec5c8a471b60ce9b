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
func (c *trackedConn) HandBack(unread []byte) {
	_ = c.TCPConn.SetDeadline(time.Time{})
	c.unread = append(append([]byte(nil), unread...), c.unread...)
	c.origin.deliver(c)
}
