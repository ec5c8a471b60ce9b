package ingress

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// clientEnd is the client's end of a WebSocket. Every Write goes out at once.
type clientEnd interface {
	io.ReadWriter
	// closeWrite tells the client that nothing more comes; an error where that is not
	// possible apart from ending it all.
	closeWrite() error
	// attend calls left when the client has gone and nobody reads from it, until stop.
	attend(left func()) (stop func())
	// stopReading fails the Read under way and later ones.
	stopReading()
	// abort fails reads and writes, and shows the client that this was no orderly end
	// where the protocol can.
	abort()
}

// clientConn is an HTTP/1.1 connection.
type clientConn struct {
	net.Conn
	buffered *bufio.Reader // holds what came along with the head; nil once that is read
	vigil    vigil
}

func (c *clientConn) Read(p []byte) (int, error) {
	c.vigil.begin()
	defer c.vigil.end()
	if c.buffered != nil {
		if n := min(c.buffered.Buffered(), len(p)); n > 0 {
			return c.buffered.Read(p[:n])
		}
		c.buffered = nil
	}
	return c.Conn.Read(p)
}

func (c *clientConn) attend(left func()) (stop func()) {
	c.vigil.client, c.vigil.left = c.Conn, left
	return c.vigil.stop
}

func (c *clientConn) closeWrite() error { return closeWrite(c.Conn) }
func (c *clientConn) stopReading()      { c.abort() }
func (c *clientConn) abort()            { _ = c.Conn.Close() }

// clientStream is the stream of an extended CONNECT over HTTP/2 or HTTP/3.
type clientStream struct {
	body io.ReadCloser
	w    io.Writer
	rc   *http.ResponseController
}

func (s *clientStream) Read(p []byte) (int, error) { return s.body.Read(p) }

func (s *clientStream) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, s.rc.Flush()
}

// attend: the end of a stream ends its request's context, which cuts the sandbox's end.
func (s *clientStream) attend(func()) (stop func()) { return func() {} }

func (s *clientStream) closeWrite() error { return errors.ErrUnsupported }
func (s *clientStream) stopReading()      { _ = s.body.Close() }

func (s *clientStream) abort() {
	_ = s.body.Close()
	// A client that takes nothing holds a write for as long as it likes.
	_ = s.rc.SetWriteDeadline(time.Unix(1, 0))
}

// closeWrite ends one direction of a connection, below wrappers that do not know of that.
func closeWrite(c any) error {
	for {
		switch end := c.(type) {
		case interface{ CloseWrite() error }:
			return end.CloseWrite()
		case interface{ NetConn() net.Conn }:
			c = end.NetConn()
		default:
			return errors.ErrUnsupported
		}
	}
}
