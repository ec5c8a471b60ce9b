package redislist

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// maxReply bounds what one answer of Redis may hold: an element of the list, its name and
// their framing, generously. The client library would read half a gigabyte.
const maxReply = 64 << 10

var (
	// errReplyTooLarge ends a connection whose answer is, or says that it will be, beyond
	// maxReply.
	errReplyTooLarge = errors.New("the answer of Redis is too large")
	// errReplyMalformed ends a connection whose answer is not of the protocol.
	errReplyMalformed = errors.New("the answer is not of the Redis protocol (RESP2)")
	// errClient ends an exchange that the client library did not survive.
	errClient = errors.New("the Redis client failed on what Redis sent")
)

// bounded wraps a new connection to Redis.
func bounded(c net.Conn) net.Conn {
	b := &boundedConn{Conn: c, left: maxReply}
	if raw, ok := c.(syscall.Conn); ok {
		return &rawBoundedConn{b, raw}
	}
	return b
}

// boundedConn bounds what is read between two writes, and what is announced there. One
// goroutine uses it at a time.
type boundedConn struct {
	net.Conn
	left    int
	framing framing
}

func (c *boundedConn) Write(p []byte) (int, error) {
	c.left = maxReply
	return c.Conn.Write(p)
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errReplyTooLarge
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	if bad := c.framing.follow(p[:n], c.left); bad != nil {
		c.left = 0
		return 0, bad
	}
	c.left -= n
	return n, err
}

// rawBoundedConn is one of which the library can see, before it writes, that Redis has
// closed it.
type rawBoundedConn struct {
	*boundedConn
	syscall.Conn
}

// guarded turns a panic of the client library into an error: what Redis sends must not
// end the process, whatever slipped past the framing.
func guarded(exchange func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errClient, p)
		}
	}()
	return exchange()
}
