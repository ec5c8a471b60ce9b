package ingress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// requestBody is the client's body on its way to the sandbox. The server owns the real
// one, so Close does nothing and a failed dial leaves it unread for a second attempt.
type requestBody struct {
	x       *exchange
	src     io.Reader
	trailer http.Header // announced to the sandbox; filled at the end of the body
	count   int64
	eof     atomic.Bool
	broken  atomic.Bool // it was no body; nobody has left

	reading sync.Mutex // held while a read is under way
	over    bool
	vigil   vigil
	release context.CancelFunc
}

// newRequestBody returns the context of the exchange, too: it also ends when the client
// leaves while its body is not read. end must be called.
func newRequestBody(x *exchange) (context.Context, *requestBody) {
	b := &requestBody{x: x, src: x.r.Body}
	if x.r.ContentLength == 0 {
		b.eof.Store(true)
		return x.r.Context(), b
	}
	ctx, cancel := context.WithCancel(x.r.Context())
	b.release = cancel
	if x.r.ProtoMajor == 1 {
		b.vigil.client, b.vigil.left = x.clientConn(), cancel
	}
	return ctx, b
}

// Read implements io.Reader. The transport may still call it after an early answer was
// relayed; the server's body is no longer ours then.
func (b *requestBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.over {
		return 0, http.ErrBodyReadAfterClose
	}
	b.vigil.begin()
	n, err := b.src.Read(p)
	b.x.Metrics.received.Add(float64(n))
	if n > 0 {
		b.x.touchAgain()
	}
	b.count += int64(n)
	if err == io.EOF {
		b.fillTrailer()
	}
	if err == io.EOF || b.count == b.x.r.ContentLength {
		b.eof.Store(true)
		b.vigil.stop() // the server watches the client now
		return n, err
	}
	if err != nil && b.x.r.ProtoMajor == 1 && b.x.r.ContentLength < 0 && !leftEarly(err) {
		b.broken.Store(true)
	}
	b.vigil.end()
	return n, err
}

// leftEarly tells a connection that failed from chunks that are none: for those the parser
// has errors without a type.
func leftEarly(err error) bool {
	var network net.Error
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, http.ErrBodyReadAfterClose) || errors.As(err, &network)
}

// Close implements io.Closer.
func (b *requestBody) Close() error { return nil }

// finished tells whether the client's body was read to its end.
func (b *requestBody) finished() bool { return b.eof.Load() }

// linger is how long a client may take to notice an answer that came before the end of
// its body. Closing at once could reset the connection and take the answer away.
const linger = 500 * time.Millisecond

// end waits until nobody reads the body, and makes later reads fail. On an unread
// HTTP/1.1 body it bounds the time for which the server then drains it: a client that
// stopped sending would hold the connection for ever.
func (b *requestBody) end() {
	if b.release != nil {
		b.vigil.stop()
		b.release()
	}
	if b.finished() {
		return
	}
	if b.x.r.ProtoMajor != 1 {
		_ = b.x.r.Body.Close() // of the stream alone; it ends the read under way
		b.stop()
		return
	}
	connection := http.NewResponseController(b.x.w)
	if connection.SetReadDeadline(time.Unix(1, 0)) != nil {
		return
	}
	b.stop()
	_ = connection.SetReadDeadline(time.Now().Add(linger))
}

func (b *requestBody) stop() {
	b.reading.Lock()
	defer b.reading.Unlock()
	b.over = true
}

// boundDrain bounds the time for which the server reads the body of a request that was
// refused before it was read: nobody trickles one into a 401 (threat row X2).
func (x *exchange) boundDrain() {
	if x.r.ProtoMajor == 1 && x.r.ContentLength != 0 && x.r.Body != nil {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(linger))
	}
}

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
			if !b.x.holdsKey(name, v) {
				b.trailer[name] = append(b.trailer[name], v)
			}
		}
	}
}
