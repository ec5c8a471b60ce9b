package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/opensandbox-edge/edge/ingress/h1"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// direct is the round trip of the direct core. Without a body it needs no goroutine.
func (p *pool) direct(ctx context.Context, r *Request) (*http.Response, error) {
	c := p.take(r.Addr, r.Peer)
	if c != nil {
		res, err := c.exchange(ctx, r)
		if !errors.Is(err, errUnanswered) || ctx.Err() != nil {
			return res, err
		}
		// The sandbox closed the connection while we were about to use it.
	}
	tcp, err := p.dial(ctx, r.Addr)
	if err != nil {
		return nil, err
	}
	if c, err = newConn(p, r.Addr, tcp, r.Peer); err != nil {
		return nil, err
	}
	return c.exchange(ctx, r)
}

// errUnanswered is the end of a used connection before the first byte of an answer to a
// request that may be sent again.
var errUnanswered = errors.New("the sandbox closed the connection before it answered")

// exchange sends the request and reads the head of its answer. On error the connection
// is closed.
func (c *conn) exchange(ctx context.Context, r *Request) (*http.Response, error) {
	a := &answer{conn: c}
	a.unwatch = context.AfterFunc(ctx, c.abort)
	err := c.send(a, r)
	if err == nil {
		err = a.readHead(r)
	}
	if err == nil {
		return &a.response, nil
	}
	if c.used && !a.begun && r.Body == nil && wire.IsSafe(r.Method) {
		err = errUnanswered
	}
	_ = a.Close()
	if a.sender != nil {
		err = a.sender.reason(err)
	}
	return nil, err
}

// send writes the head; a body follows beside the reading of the answer.
func (c *conn) send(a *answer, r *Request) error {
	head, err := c.requestHead(r)
	if err != nil {
		a.begun = true // nothing that another connection would change
		return err
	}
	if _, err := c.Write(head); err != nil {
		a.broken = true // there may be an answer all the same
		return nil
	}
	if r.Body != nil {
		if a.sender = c.sendBody(r); a.sender == nil {
			return c.pool.cause()
		}
	}
	return nil
}

func (c *conn) requestHead(r *Request) ([]byte, error) {
	h := &c.head
	h.Begin(r.Method, r.Path, r.Query, r.Mark)
	h.Field("Host", r.Host)
	c.waits = false
	r.Peer.Fields(c.field)
	switch {
	case r.Body == nil:
		if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			h.Field("Content-Length", "0")
		}
	case r.Length >= 0:
		h.Length(r.Length)
	default:
		h.Field("Transfer-Encoding", "chunked")
		for name := range r.Trailer {
			h.Field("Trailer", name)
		}
	}
	return h.End()
}

// readHead reads up to and with the head of the final answer.
func (a *answer) readHead(r *Request) error {
	for interim, size := 0, 0; ; {
		text, err := a.conn.in.Head()
		if err != nil {
			a.begun = a.begun || a.conn.in.Buffered() > 0
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		a.begun = true
		head, err := h1.ParseAnswer(text, r.Method == http.MethodHead)
		if err != nil {
			return err
		}
		if head.Status >= http.StatusOK || head.Status == http.StatusSwitchingProtocols {
			a.begin(r, &head)
			return nil
		}
		interim++
		if size += len(text); interim > maxInterim || size > maxInterimBytes {
			return errInterimFlood
		}
		a.broken = a.broken || head.Last
		if head.Status == http.StatusContinue {
			if a.sender != nil {
				a.sender.want(true)
			}
			continue
		}
		r.Peer.Interim(head.Status, head.Header)
	}
}
