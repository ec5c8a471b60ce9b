package listener

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// Rest tells that a connection waits for a request, or that it no longer does. One that
// waits is closed when connections become scarce.
func (c *trackedConn) Rest(waits bool) {
	if waits {
		c.resting.Store(time.Now().UnixNano())
		return
	}
	c.resting.Store(0)
}

// Follow is for a server's ConnState: what it says about a connection of this network
// decides whether that may be shed, and whether the next configuration may have it.
// Connections of servers that do not call it never are.
func Follow(conn net.Conn, state http.ConnState) {
	c := tracked(conn)
	if c == nil || !c.server.enter(state) {
		return
	}
	if state == http.StateClosed {
		c.leaveServer()
		return
	}
	c.Rest(state == http.StateNew || state == http.StateIdle)
}

// Reserved tells whether a connection came in when only the reserve was left, and that
// this is still so: it serves the API and health checks, and no sandbox.
func Reserved(conn net.Conn) bool {
	c := tracked(conn)
	return c != nil && c.reserved && open.scarce()
}

// tracked finds the connection of this network under TLS; nil = there is none.
func tracked(conn net.Conn) *trackedConn {
	switch c := conn.(type) {
	case *trackedConn:
		return c
	case *tls.Conn:
		return tracked(c.NetConn())
	}
	return nil
}
