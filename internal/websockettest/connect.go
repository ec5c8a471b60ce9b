package websockettest

import (
	"crypto/sha1" //nolint:gosec // what RFC 6455 asks for
	"encoding/base64"
	"io"
	"net/http"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
)

// HTTP2 sends upgrades as the extended CONNECT of HTTP/2. Its scheme and host are the URL's.
func HTTP2(t *http2.Transport) http.RoundTripper {
	return connecting{t, func(r *http.Request) { r.Header[":protocol"] = []string{"websocket"} }}
}

// HTTP3 sends upgrades as the extended CONNECT of HTTP/3.
func HTTP3(t *http3.Transport) http.RoundTripper {
	return connecting{t, func(r *http.Request) { r.Proto = "websocket" }}
}

type connecting struct {
	http.RoundTripper
	ask func(*http.Request)
}

// RoundTrip implements http.RoundTripper: the answer 200 looks like the 101 of an upgrade.
func (c connecting) RoundTrip(upgrade *http.Request) (*http.Response, error) {
	r := upgrade.Clone(upgrade.Context())
	r.Method = http.MethodConnect
	for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Key"} {
		r.Header.Del(name)
	}
	in, out := io.Pipe()
	r.Body, r.ContentLength = in, -1
	c.ask(r)
	res, err := c.RoundTripper.RoundTrip(r)
	if err != nil || res.StatusCode != http.StatusOK {
		_ = out.Close()
		return res, err
	}
	sum := sha1.Sum([]byte(upgrade.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see above
	res.StatusCode = http.StatusSwitchingProtocols
	res.Header.Set("Connection", "Upgrade")
	res.Header.Set("Upgrade", "websocket")
	res.Header.Set("Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:]))
	res.Body = &Stream{Reader: res.Body, Writer: out, body: res.Body, out: out}
	return res, nil
}

// Stream is the body of an answer: both directions of the tunnel.
type Stream struct {
	io.Reader
	io.Writer
	body io.Closer
	out  *io.PipeWriter
}

// CloseWrite ends the client's direction.
func (s *Stream) CloseWrite() error { return s.out.Close() }

// Close implements io.Closer: it gives up the stream.
func (s *Stream) Close() error {
	_ = s.out.CloseWithError(io.ErrClosedPipe)
	return s.body.Close()
}
