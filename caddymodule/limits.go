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

// connectionOf finds it again; nil for connections that were taken over from the server.
func connectionOf(r *http.Request) net.Conn {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	return conn
}

// reserved tells requests over connections that are kept for the API and health checks.
// Connections that were taken over from the server are none of them.
func reserved(r *http.Request) bool {
	conn, ok := r.Context().Value(connKey{}).(net.Conn)
	return ok && listener.Reserved(conn)
}

const (
	// bodyTimeout is how long the body of an API request may take, whatever its pace (threat
	// row X2); the server's stall timeout alone would let it trickle in.
	bodyTimeout = 60 * time.Second
	// restTimeout is how long the server reads on for the body of a request that was refused
	// without it. It does that before it sends the answer.
	restTimeout = 500 * time.Millisecond
)

// boundBody gives the body of a request a deadline, read or unread, which ends with the
// body: answering may take longer.
func boundBody(w http.ResponseWriter, r *http.Request, bound time.Duration) {
	if r.Body == nil || r.ContentLength == 0 {
		return
	}
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(time.Now().Add(bound))
	r.Body = &timedBody{ReadCloser: r.Body, conn: conn}
}

type timedBody struct {
	io.ReadCloser
	conn *http.ResponseController
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}
