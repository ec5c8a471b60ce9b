package listener

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/opensandbox-edge/edge/ingress/guard"
)

// trackedConn keeps the methods of a TCP connection, for sendfile and half-close.
type trackedConn struct {
	*net.TCPConn
	once   sync.Once
	origin *socket
	guard  guard.Guard // of what is read
	kept   bool        // requests go on when it is hijacked
	unread []byte      // comes before what the socket has; the guard has not seen it
	server serving

	client   netip.Addr   // what it is counted by
	reserved bool         // came in when only the reserve was left
	resting  atomic.Int64 // since when it waits for a request, in Unix nanoseconds; 0 = it does not
}

// Close implements net.Conn. A server that closes what it only waits on, while a newer
// configuration listens, just gives it up.
func (c *trackedConn) Close() error {
	if c.recall() {
		return nil
	}
	return c.end()
}

// end closes the connection.
func (c *trackedConn) end() (err error) {
	c.once.Do(func() {
		err = c.TCPConn.Close()
		open.leave(c)
	})
	return err
}
