package ingress

import (
	"context"
	"errors"
	"net/http"

	"github.com/opensandbox-edge/edge/ingress/upstream"
)

// statusClientGone is what metrics count when nobody waited for the answer.
const statusClientGone = 499

// forward sends the request and streams the answer. Errors it returns are unanswered:
// no byte has gone to the client.
func (x *exchange) forward() error {
	// A body can arrive while the answer is already on its way.
	if x.r.ProtoMajor == 1 && x.r.ContentLength != 0 {
		_ = http.NewResponseController(x.w).EnableFullDuplex()
	}
	ctx, body := newRequestBody(x)
	defer body.end()

	err := x.attempt(ctx, body)
	if err != nil && isDial(err) && outdated(err, x.entry) {
		// The sandbox moved between lookup and first byte: once more with what is known now.
		if _, err = x.admit(); err == nil {
			err = x.attempt(ctx, body)
		}
	}
	if err == nil {
		return nil
	}
	x.closeIfUnread(body)
	switch {
	case body.broken.Load():
		return errBadBody.Because(err)
	case outdated(err, x.entry), errors.Is(err, upstream.ErrClosed):
		if _, now := x.admit(); now != nil {
			return now
		}
		return x.notReady()
	case ctx.Err() != nil:
		return errClientGone
	}
	return err
}

// closeIfUnread gives up an HTTP/1.1 connection whose request body was not read to its
// end. The rest would be taken for the next request, and net/http cannot drain a body
// after a full-duplex exchange: it panics on a read of its own that it started there.
func (x *exchange) closeIfUnread(body *requestBody) {
	if x.r.ProtoMajor == 1 && !body.finished() {
		x.w.Header().Set("Connection", "close")
	}
}

// attempt is one round trip to the entry that was resolved. An error is an
// *upstream.DialError when the sandbox got no byte of the request.
func (x *exchange) attempt(ctx context.Context, body *requestBody) error {
	peer := &peer{x: x}
	defer peer.release()
	res, err := x.Upstreams.RoundTrip(ctx, x.Core, x.outgoing(body, peer))
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	x.touchHead(res.StatusCode)

	if res.StatusCode == http.StatusSwitchingProtocols {
		return x.switchProtocols(res)
	}
	if res.StatusCode < http.StatusOK || res.StatusCode > 999 || x.mistaken(res.StatusCode) {
		return errBrokenAnswer // net/http would panic on such a status
	}
	if err := x.rewriteLocation(res); err != nil {
		return err
	}
	x.relay(res, body)
	return nil
}

// outgoing is the request as the sandbox gets it. The classifier took no path that a line
// of HTTP/1.1 cannot carry.
func (x *exchange) outgoing(body *requestBody, peer *peer) *upstream.Request {
	out := &upstream.Request{
		Entry:  x.entry,
		Addr:   x.addr,
		Method: x.r.Method,
		Path:   x.route.Path,
		Query:  x.r.URL.RawQuery,
		Mark:   x.r.URL.ForceQuery,
		Host:   x.upstreamHost(),
		Peer:   peer,
	}
	if x.r.ContentLength != 0 {
		out.Body, out.Length, out.Trailer = body, x.r.ContentLength, body.announce()
	}
	return out
}
