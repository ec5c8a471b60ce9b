package upstream

import (
	"net/http"

	"github.com/opensandbox-edge/edge/ingress/h1"
)

// answer is one answer of the direct core on its way: the body of its response.
type answer struct {
	response http.Response
	body     h1.Body
	conn     *conn
	sender   *sender     // nil without a body to send
	unwatch  func() bool // ends the watch over the client; false if that cut the connection
	begun    bool        // its first byte was received
	broken   bool        // the connection has no further use
	closed   bool
}

// begin takes the final head.
func (a *answer) begin(r *Request, head *h1.Answer) {
	a.broken = a.broken || head.Last
	if a.sender != nil {
		// An answer before the end of the request: which of the two the next bytes
		// belong to is a matter of timing.
		a.broken = a.sender.answered() || a.broken
	}
	a.response = http.Response{
		StatusCode: head.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: head.Header, Trailer: head.Trailer, ContentLength: head.Length, Body: a,
	}
	a.body.Reset(a.conn.in, head, &a.response.Trailer)
}

// Read implements io.Reader.
func (a *answer) Read(p []byte) (int, error) { return a.body.Read(p) }

// Write implements io.Writer, for what follows a 101.
func (a *answer) Write(p []byte) (int, error) { return a.conn.Write(p) }

// CloseWrite ends what goes to the sandbox after a 101.
func (a *answer) CloseWrite() error { return a.conn.CloseWrite() }

// Ready tells whether the next Read will not wait.
func (a *answer) Ready() bool { return a.body.Ready() }

// Close frees the connection: for another request if this answer left no doubt.
func (a *answer) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	c := a.conn
	sent := a.sender == nil || a.sender.settle()
	if !a.unwatch() || !sent || a.broken || !a.body.Ended() || c.in.Buffered() > 0 {
		c.discard()
		return nil
	}
	c.used = true
	c.in.Trim()
	c.head.Trim()
	c.pool.put(c)
	return nil
}
