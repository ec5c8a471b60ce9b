package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Core names what carries requests.
type Core string

// The cores; any other value means Direct.
const (
	Direct  Core = "direct"
	NetHTTP Core = "nethttp"
)

// Request is one request to a port of a sandbox. It belongs to the core until RoundTrip
// has failed or the answer's body was closed.
type Request struct {
	Entry  *lifecycle.Entry
	Addr   netip.AddrPort // of the port
	Method string
	// Path and Query go on the request line as they are; Mark writes the "?" of an
	// empty query too.
	Path, Query string
	Mark        bool
	Host        string
	// Body is nil if there is none. Length is its size, -1 if unknown. The reader is
	// called from another goroutine, perhaps even after the round trip: it must fail
	// then. Trailer may get its values while the body is read; its names are announced.
	Body    io.Reader
	Length  int64
	Trailer http.Header

	Peer Peer
}

// Peer is the one who asks.
type Peer interface {
	// Fields yields every field of the request but Host and those that frame the body,
	// each name once, in its canonical form. The values are only read. It may be called
	// again for another attempt.
	Fields(yield func(name string, values []string))
	// Interim is told of 1xx answers but 100, before RoundTrip returns and never
	// after. The header is not used again.
	Interim(status int, header http.Header)
	// Cut is called once when the sandbox's generation ends, or the server stops, before
	// the answer's body was closed. The connection is closed by then. It must not block.
	Cut()
}

// ErrClosed is what requests get after Close.
var ErrClosed = errors.New("the server is stopping")

var (
	errInterimFlood = errors.New("too many interim answers")
	errEarlyEnd     = errors.New("the client's body ended before its announced length")
)

// Bounds of the 1xx answers to one request (threat row B2).
const (
	maxInterim      = 32
	maxInterimBytes = 64 << 10 // of their heads together
)

// DialError marks failures before any byte of the request was sent.
type DialError struct{ Err error }

func (e *DialError) Error() string { return "dial: " + e.Err.Error() }
func (e *DialError) Unwrap() error { return e.Err }

// RoundTrip sends a request and returns the head of its answer; the caller closes the
// body, which frees the connection. Interim answers are passed on, at most
// 32 and 64 KiB of them.
// The body of a 101 is an io.ReadWriteCloser with CloseWrite: whether the switch was asked for is for the
// caller to judge.
//
// The end of ctx, which is the client going away, cuts the exchange at any time.
// A *DialError says that nothing was sent.
func (p *Pools) RoundTrip(ctx context.Context, core Core, r *Request) (*http.Response, error) {
	pool, err := p.of(r.Entry)
	if err != nil {
		return nil, err
	}
	carry := pool.direct
	if core == NetHTTP {
		carry = pool.netHTTP
	}
	res, err := carry(ctx, r)
	if err != nil && pool.ctx.Err() != nil {
		err = pool.ended(err)
	}
	return res, err
}
