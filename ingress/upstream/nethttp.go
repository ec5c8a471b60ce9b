package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/ingress/h1"
)

// transport is the nethttp core of one pool.
type transport struct {
	http.Transport
	pool *pool
}

func newTransport(p *pool) *transport {
	t := &transport{pool: p}
	t.Transport = http.Transport{
		Proxy:                  nil, // HTTP_PROXY is for the server's own calls (contract 04 D20)
		DialContext:            t.dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdlePerPort,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: h1.MaxHead,
		ExpectContinueTimeout:  time.Second,
	}
	return t
}

func (t *transport) dial(ctx context.Context, _, address string) (net.Conn, error) {
	addr, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, &DialError{err}
	}
	tcp, err := t.pool.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c := &framedConn{Conn: tcp, pool: t.pool, framing: newFraming(tcp)}
	if err := t.pool.add(c); err != nil {
		_ = tcp.Close()
		return nil, &DialError{err}
	}
	return c, nil
}

// framedConn is a connection of the nethttp core. It ends with an answer too long.
type framedConn struct {
	net.Conn
	pool    *pool
	framing *framing
}

// Read implements net.Conn.
func (c *framedConn) Read(p []byte) (int, error) { return c.framing.Read(p) }

// Write implements net.Conn.
func (c *framedConn) Write(p []byte) (int, error) {
	if err := c.framing.sending(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// CloseWrite ends what goes to the sandbox after a 101.
func (c *framedConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// Close implements net.Conn.
func (c *framedConn) Close() error {
	c.pool.mu.Lock()
	delete(c.pool.conns, c)
	c.pool.mu.Unlock()
	return c.Conn.Close()
}

// cut implements tracked. The exchange learns of the end from the entry itself.
func (c *framedConn) cut() { _ = c.Conn.Close() }

// netHTTP is the round trip of the nethttp core.
func (p *pool) netHTTP(ctx context.Context, r *Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	unwatch := context.AfterFunc(p.ctx, func() {
		cancel()
		r.Peer.Cut()
	})
	release := func() {
		unwatch()
		cancel()
	}
	trace := &trace{peer: r.Peer, head: r.Method == http.MethodHead}
	res, err := p.transport().RoundTrip(standardRequest(httptrace.WithClientTrace(ctx, trace.hooks()), r))
	sent := trace.stop()
	if err != nil {
		release()
		if !sent {
			err = &DialError{err}
		}
		return nil, err
	}
	if both, ok := res.Body.(io.ReadWriteCloser); ok {
		res.Body = &heldBoth{both, release}
	} else {
		res.Body = &held{res.Body, release}
	}
	return res, nil
}

// held keeps a round trip's context until its body is closed.
type held struct {
	io.ReadCloser
	release func()
}

// Close implements io.Closer.
func (h *held) Close() error {
	defer h.release()
	return h.ReadCloser.Close()
}

type heldBoth struct {
	io.ReadWriteCloser
	release func()
}

// CloseWrite ends what goes to the sandbox.
func (h *heldBoth) CloseWrite() error {
	if half, ok := h.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close implements io.Closer.
func (h *heldBoth) Close() error {
	defer h.release()
	return h.ReadWriteCloser.Close()
}

// standardRequest says the same in net/http's words.
func standardRequest(ctx context.Context, r *Request) *http.Request {
	out := (&http.Request{
		Method:        r.Method,
		URL:           &url.URL{Scheme: "http", Host: r.Addr.String(), RawQuery: r.Query, ForceQuery: r.Mark},
		Host:          r.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"User-Agent": nil}, // else the transport would add its own
		ContentLength: r.Length,
	}).WithContext(ctx)
	setPath(out.URL, r.Path)
	r.Peer.Fields(func(name string, values []string) { out.Header[name] = values })
	if r.Body != nil {
		out.Body = io.NopCloser(r.Body)
		out.Trailer = r.Trailer
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
