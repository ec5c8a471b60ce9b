package upstream

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/net/http/httpguts"

	"github.com/opensandbox-edge/edge/ingress/h1"
)

// conn is a connection of the direct core. One exchange at a time has it.
type conn struct {
	*net.TCPConn
	pool *pool
	addr netip.AddrPort
	in   *h1.Reader
	head h1.RequestHead
	used bool // an answer was read to its end

	waits  bool // the request asks to be told whether its body is wanted
	raw    syscall.RawConn
	silent bool // what peek found

	// Methods as values, made once.
	field func(name string, values []string)
	peek  func(fd uintptr) bool
	abort func()

	// Guarded by the pool's lock.
	rested int  // pool.sweeps when it became idle
	peer   Peer // who uses it; nil while it is idle
}

func newConn(p *pool, addr netip.AddrPort, tcp *net.TCPConn, peer Peer) (*conn, error) {
	c := &conn{TCPConn: tcp, pool: p, addr: addr, in: h1.NewReader(tcp), peer: peer}
	var err error
	if c.raw, err = tcp.SyscallConn(); err == nil {
		c.field, c.peek, c.abort = c.writeField, c.peekAt, c.closeNow
		err = p.add(c)
	}
	if err != nil {
		_ = tcp.Close()
		return nil, &DialError{err}
	}
	return c, nil
}

// quiet tells whether an idle connection is still open and the sandbox has sent nothing
// since its last answer. Whatever came would be taken for the next one's (threat row B2).
func (c *conn) quiet() bool {
	c.silent = false
	return c.raw.Read(c.peek) == nil && c.silent
}

func (c *conn) peekAt(fd uintptr) (done bool) {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	c.silent = err == syscall.EAGAIN
	return true
}

func (c *conn) closeNow() { _ = c.Close() }

// writeField adds one field to the head of the request.
func (c *conn) writeField(name string, values []string) {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
		return
	case "Expect":
		c.waits = httpguts.HeaderValuesContainsToken(values, "100-continue")
	}
	for _, v := range values {
		c.head.Field(name, v)
	}
}

// discard closes the connection for good.
func (c *conn) discard() {
	_ = c.Close()
	c.pool.mu.Lock()
	c.peer = nil
	delete(c.pool.conns, c)
	c.pool.mu.Unlock()
}

// cut implements tracked.
func (c *conn) cut() {
	_ = c.Close()
	c.pool.mu.Lock()
	peer := c.peer
	c.pool.mu.Unlock()
	if peer != nil {
		peer.Cut()
	}
}
