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

	err := x.attempt(body)
	if err == nil || !isDial(err) || !outdated(err, x.entry) {
		return x.unanswered(err, body)
	}
	// The sandbox moved between lookup and first byte: once more with what is known now.
	if err := x.resolve(); err != nil {
		return err
	}
	return x.unanswered(x.attempt(body), body)
}

// unanswered makes the error of an attempt fit to be answered.
func (x *exchange) unanswered(err error, body *requestBody) error {
	if err == nil {
		return nil
	}
	if x.r.Context().Err() != nil && !outdated(err, x.entry) {
		return errClientGone
	}
	// The rest of an unread body would be taken for the next request.
	if x.r.ProtoMajor == 1 && !body.finished() {
		x.w.Header().Set("Connection", "close")
	}
	if outdated(err, x.entry) || errors.Is(err, errClosed) {
		if now := x.resolve(); now != nil {
			return now
		}
		return x.notReady()
	}
	return err
}

// attempt is one round trip to the entry that was resolved.
func (x *exchange) attempt(body *requestBody) error {
	up, err := x.Upstreams.of(x.entry)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	cut := x.cutWith(x.entry, cancel)
	defer cut.release()

	interim := &interim{x: x}
	out := x.outgoing(httptrace.WithClientTrace(ctx, interim.trace()), body)
	res, err := up.transport.RoundTrip(out)
	interim.stop()
	if err != nil {
		return causeOf(ctx, x.entry, err)
	}
	defer func() { _ = res.Body.Close() }()

	if res.StatusCode == http.StatusSwitchingProtocols {
		return x.switchProtocols(res)
	}
	if res.StatusCode < http.StatusOK || res.StatusCode > 999 {
		return errBrokenAnswer // net/http would panic on such a status
	}
	if err := x.rewriteLocation(res); err != nil {
		return err
	}
	x.relay(res, body)
	return nil
}

// causeOf tells why a round trip failed when it was us who ended it.
func causeOf(ctx context.Context, e *lifecycle.Entry, err error) error {
	if isDial(err) {
		return err
	}
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
