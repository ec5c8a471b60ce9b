package ingress

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"

	"github.com/opensandbox-edge/edge/lifecycle"
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
	body := newRequestBody(x)
	defer body.end()

	sent, err := x.attempt(body)
	if err != nil && !sent && outdated(err, x.entry) {
		// The sandbox moved between lookup and first byte: once more with what is known now.
		if err = x.resolve(); err == nil {
			_, err = x.attempt(body)
		}
	}
	if err == nil {
		return nil
	}
	x.closeIfUnread(body)
	switch {
	case outdated(err, x.entry), errors.Is(err, errClosed):
		if now := x.resolve(); now != nil {
			return now
		}
		return x.notReady()
	case x.r.Context().Err() != nil:
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

// attempt is one round trip to the entry that was resolved. sent is false when the
// sandbox got no byte of the request.
func (x *exchange) attempt(body *requestBody) (sent bool, err error) {
	up, err := x.Upstreams.of(x.entry)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	cut := x.cutWith(x.entry, cancel)
	defer cut.release()

	trace := &trace{x: x}
	out := x.outgoing(httptrace.WithClientTrace(ctx, trace.hooks()), body)
	res, err := up.transport.RoundTrip(out)
	sent = trace.stop()
	if err != nil {
		return sent, causeOf(ctx, x.entry, err)
	}
	defer func() { _ = res.Body.Close() }()

	if res.StatusCode == http.StatusSwitchingProtocols {
		return sent, x.switchProtocols(res)
	}
	if res.StatusCode < http.StatusOK || res.StatusCode > 999 || x.mistaken(res.StatusCode) {
		return sent, errBrokenAnswer // net/http would panic on such a status
	}
	if err := x.rewriteLocation(res); err != nil {
		return sent, err
	}
	x.relay(res, body)
	return sent, nil
}

// causeOf tells why a round trip failed when it was us who ended it.
func causeOf(ctx context.Context, e *lifecycle.Entry, err error) error {
	if e.Ctx.Err() != nil {
		return ended(e)
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// outgoing is the request as the sandbox gets it.
func (x *exchange) outgoing(ctx context.Context, body *requestBody) *http.Request {
	address := x.addr.String()
	out := (&http.Request{
		Method:        x.r.Method,
		URL:           &url.URL{Scheme: "http", Host: address, RawQuery: x.r.URL.RawQuery, ForceQuery: x.r.URL.ForceQuery},
		Host:          address,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        x.requestHeader(),
		ContentLength: x.r.ContentLength,
	}).WithContext(ctx)
	setPath(out.URL, x.route.Path)
	if x.r.ContentLength != 0 {
		out.Body = body
		out.Trailer = body.announce()
	}
	return out
}

// setPath makes the transport write the escaped path exactly as it is. In general that
// is what Opaque is for, but net/url reads an opaque "//a" as an authority; there the
// path has to be one that net/url would have written itself, so bytes that are
// illegal in a URL anyway are encoded.
func setPath(u *url.URL, path string) {
	if !strings.HasPrefix(path, "//") {
		u.Opaque = path
		return
	}
	u.RawPath = path
	if decoded, err := url.PathUnescape(path); err == nil {
		u.Path = decoded
		if u.EscapedPath() == path {
			return
		}
	}
	u.RawPath = encodeIllegal(path)
	u.Path, _ = url.PathUnescape(u.RawPath)
}

func encodeIllegal(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 0x7f, c <= ' ', strings.IndexByte("\"<>\\^`{|}#?", c) >= 0:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
