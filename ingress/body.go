package ingress

import (
	"io"
	"net/http"
	"sync/atomic"
)

// requestBody is the client's body on its way to the sandbox. The server owns the real
// one, so Close does nothing and a failed dial leaves it unread for a second attempt.
type requestBody struct {
	x       *exchange
	src     io.Reader
	trailer http.Header // announced to the sandbox; filled at the end of the body
	count   int64
	eof     atomic.Bool
	over    atomic.Bool
}

func newRequestBody(x *exchange) *requestBody {
	b := &requestBody{x: x, src: x.r.Body}
	b.eof.Store(x.r.ContentLength == 0)
	return b
}

// Read implements io.Reader. The transport may still call it after an early answer was
// relayed; the server's body is no longer ours then.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.over.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.src.Read(p)
	b.x.Metrics.received.Add(float64(n))
	b.count += int64(n)
	if err == io.EOF {
		b.fillTrailer()
	}
	if err == io.EOF || b.count == b.x.r.ContentLength {
		b.eof.Store(true)
	}
	return n, err
}

// Close implements io.Closer.
func (b *requestBody) Close() error { return nil }

// finished tells whether the client's body was read to its end.
func (b *requestBody) finished() bool { return b.eof.Load() }

// end makes further reads fail.
func (b *requestBody) end() { b.over.Store(true) }

// announce returns the trailers that the client announced and the sandbox may see. The
// transport writes what is in the map once the body has ended.
func (b *requestBody) announce() http.Header {
	b.trailer = nil
	for name := range b.x.r.Trailer {
		if !b.x.trailerAllowed(name) {
			continue
		}
		if b.trailer == nil {
			b.trailer = make(http.Header)
		}
		b.trailer[name] = nil
	}
	return b.trailer
}

func (b *requestBody) fillTrailer() {
	for name := range b.trailer {
		for _, v := range b.x.r.Trailer[name] {
			if !b.x.Keys.Carries(v) {
				b.trailer[name] = append(b.trailer[name], v)
			}
		}
	}
}
