package websockettest

//lint:file-ignore SA1019 the Transport of net/http refuses :protocol

import (
	"context"
	"crypto/sha1" //nolint:gosec // what RFC 6455 asks for
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
)

// HTTP2 makes a client of HTTP/2, for requests and, through Upgrades, for WebSockets. A
// config of nil is for servers in the clear; a dial of nil connects to the URL's host.
func HTTP2(config *tls.Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) *Client {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	plain := config == nil
	return &Client{&http2.Transport{
		DisableCompression: true, AllowHTTP: plain, TLSClientConfig: config,
		DialTLSContext: func(ctx context.Context, network, address string, config *tls.Config) (net.Conn, error) {
			raw, err := dial(ctx, network, address)
			if err != nil || plain {
				return raw, err
			}
			c := tls.Client(raw, config)
			if err := c.HandshakeContext(ctx); err != nil {
				_ = raw.Close()
				return nil, err
			}
			return c, nil
		},
	}}
}

// Client is a client of HTTP/2.
type Client struct{ transport }

type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// Upgrades sends upgrades as the extended CONNECT of HTTP/2.
func (c *Client) Upgrades() http.RoundTripper {
	return connecting{c, func(r *http.Request) { r.Header[":protocol"] = []string{"websocket"} }}
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
