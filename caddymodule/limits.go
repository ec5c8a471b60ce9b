package caddymodule

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/caddymodule/listener"
)

// connectionLimits are the bounds that the TOML file sets. Connections of trusted proxies
// stand for many clients.
func (s *settings) connectionLimits() listener.Limits {
	return listener.Limits{
		Total: s.config.Server.MaxConns, PerClient: s.config.Server.MaxClientConns, Exempt: s.proxies.Trusts,
	}
}

// connKey finds the connection of a request.
type connKey struct{}

// rememberConn is a server's ConnContext.
func rememberConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// reserved tells requests over connections that are kept for the API and health checks.
// Connections that were taken over from the server are none of them.
func reserved(r *http.Request) bool {
	conn, ok := r.Context().Value(connKey{}).(net.Conn)
	return ok && listener.Reserved(conn)
}

// bodyTimeout is how long the body of an API request may take, whatever its pace (threat
// row X2); the server's stall timeout alone would let it trickle in.
const bodyTimeout = 60 * time.Second

// boundBody gives the body of an API request a deadline, which ends with it: answering
// may take longer.
func boundBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.ContentLength == 0 {
		return
	}
	r.Body = &timedBody{ReadCloser: r.Body, conn: http.NewResponseController(w)}
}

type timedBody struct {
	io.ReadCloser
	conn  *http.ResponseController
	begun bool
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		_ = b.conn.SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
