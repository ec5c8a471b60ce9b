package ingress_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// field is one line of a request's head, pseudo-header fields included.
type field struct{ name, value string }

// refused is what a sender returns when there was no answer but the end of the stream or
// of the connection.
const refused = 0

// sender sends one head as it is, whatever is wrong with it, and returns the status.
type sender struct {
	name string
	send func(t *testing.T, head []field) (status int)
}

func senders(t *testing.T, e *edge) []sender {
	t.Helper()
	at := map[string]*edge{}
	for _, p := range protocols(t, e) {
		at[p.name] = p.edge
	}
	over2 := func(dial func() (net.Conn, error)) func(*testing.T, []field) int {
		return func(t *testing.T, head []field) int {
			c, err := dial()
			require.NoError(t, err)
			defer func() { _ = c.Close() }()
			require.NoError(t, c.SetDeadline(time.Now().Add(eventually)))
			return sendHTTP2(t, c, head)
		}
	}
	address := func(name string) string { _, a, _ := strings.Cut(at[name].url, "//"); return a }
	insecure := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}} //nolint:gosec // a test's own server
	return []sender{
		{"HTTP1", func(t *testing.T, head []field) int { return sendHTTP1(t, address("HTTP1"), head) }},
		{"HTTP2", over2(func() (net.Conn, error) { return tls.Dial("tcp", address("HTTP2"), insecure) })},
		{"HTTP2 in the clear", over2(func() (net.Conn, error) { return net.Dial("tcp", address("HTTP2 in the clear")) })},
		{"HTTP3", func(t *testing.T, head []field) int { return sendHTTP3(t, address("HTTP3"), head) }},
	}
}

func sendHTTP1(t *testing.T, address string, head []field) int {
	t.Helper()
	pseudo := map[string]string{}
	var lines strings.Builder
	for _, f := range head {
		if strings.HasPrefix(f.name, ":") {
			pseudo[f.name] = f.value
			continue
		}
		lines.WriteString(f.name + ": " + f.value + "\r\n")
	}
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(eventually)))
	_, err = io.WriteString(c, pseudo[":method"]+" "+pseudo[":path"]+" HTTP/1.1\r\nHost: "+pseudo[":authority"]+"\r\n"+lines.String()+"\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return refused
	}
	return res.StatusCode
}

func sendHTTP2(t *testing.T, c net.Conn, head []field) int {
	t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range head {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}))
	}
	_, err := io.WriteString(c, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	require.NoError(t, framer.WriteSettings())
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true}))
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return refused
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return number(t, f.PseudoValue("status"))
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return refused
		}
	}
}

func sendHTTP3(t *testing.T, address string, head []field) int {
	t.Helper()
	c, err := quic.DialAddr(t.Context(), address, &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{http3.NextProtoH3}, //nolint:gosec // a test's own server
	}, nil)
	require.NoError(t, err)
	defer func() { _ = c.CloseWithError(0, "") }()
	control, err := c.OpenUniStream()
	require.NoError(t, err)
	_, err = control.Write([]byte{0, 4, 0}) // a control stream with empty settings
	require.NoError(t, err)
	var block bytes.Buffer
	encoder := qpack.NewEncoder(&block)
	for _, f := range head {
		require.NoError(t, encoder.WriteField(qpack.HeaderField{Name: f.name, Value: f.value}))
	}
	stream, err := c.OpenStreamSync(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.SetDeadline(time.Now().Add(eventually)))
	frame := quicvarint.Append([]byte{1}, uint64(block.Len()))
	_, err = stream.Write(append(frame, block.Bytes()...))
	require.NoError(t, err)
	_ = stream.Close()

	answer := quicvarint.NewReader(stream)
	kind, err := quicvarint.Read(answer)
	if err != nil {
		return refused
	}
	require.EqualValues(t, 1, kind)
	length, err := quicvarint.Read(answer)
	require.NoError(t, err)
	fields := make([]byte, length)
	_, err = io.ReadFull(answer, fields)
	require.NoError(t, err)
	for next := qpack.NewDecoder().Decode(fields); ; {
		f, err := next()
		require.NoError(t, err)
		if f.Name == ":status" {
			return number(t, f.Value)
		}
	}
}

func number(t *testing.T, s string) (n int) {
	t.Helper()
	require.Len(t, s, 3)
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n
}

// One head means the same in every version of HTTP: it reaches the same sandbox, or none
// (threat rows R4, B1, B3).
func TestOddHeadsHaveOneMeaning(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	all := senders(t, e)
	const sandbox = id + "-8080." + base
	head := func(authority string, more ...field) []field {
		return append([]field{{":method", "GET"}, {":scheme", "http"}, {":authority", authority}, {":path", "/a%2Fb?q=%20"}}, more...)
	}
	with := func(change func([]field)) []field {
		h := head(sandbox)
		change(h)
		return h
	}
	for _, c := range []struct {
		name   string
		head   []field
		status int  // with which it is refused, where it is not the server that ends the stream
		passes bool // to the sandbox
		but1   bool // HTTP/1.1 has no such thing, or it is in order there
	}{
		{name: "plain", head: head(sandbox), passes: true},
		{name: "upper case", head: head(strings.ToUpper(sandbox)), passes: true},
		{name: "trailing dot", head: head(sandbox + "."), passes: true},
		{name: "trailing dot and port", head: head(sandbox + ".:8080"), passes: true},
		{name: "two dots", head: head(sandbox + ".."), status: 400},
		{name: "the same host twice", head: head(sandbox, field{"host", sandbox}), passes: true, but1: true},
		{name: "another host", head: head(sandbox, field{"host", host}), status: 400},
		{name: "another host, the API first", head: head(host, field{"host", sandbox}), status: 400},
		{name: "two hosts", head: head(sandbox, field{"host", sandbox}, field{"host", sandbox}), status: 400},
		{name: "user information", head: head("user@" + sandbox), status: 400},
		{name: "a label too long", head: head(strings.Repeat("a", 60) + "-8080." + base), status: 400},
		{name: "an empty label", head: head("." + sandbox), status: 400},
		{name: "a port too large", head: head(sandbox + ":65536"), status: 400},
		{name: "a blank in the host", head: head("a " + sandbox), status: 400},
		{name: "no host", head: head(""), status: 400},
		{name: "a foreign host", head: head("elsewhere.example"), status: 421},
		{name: "connection", head: head(sandbox, field{"connection", "keep-alive"}), status: 400, but1: true},
		{name: "transfer-encoding", head: head(sandbox, field{"transfer-encoding", "chunked"}), status: 400, but1: true},
		{name: "upgrade without connection", head: head(sandbox, field{"upgrade", "websocket"}), status: 400},
		{name: "te", head: head(sandbox, field{"te", "gzip"}), status: 400, but1: true},
		{name: "upper-case name", head: head(sandbox, field{"X-App", "1"}), status: 400, but1: true},
		{name: "a name with a blank", head: head(sandbox, field{"x app", "1"}), status: 400},
		{name: "a value with a line break", head: head(sandbox, field{"x-app", "1\r\nx-b: 2"}), status: 400, but1: true},
		{name: "a value with a zero byte", head: head(sandbox, field{"x-app", "1\x00"}), status: 400},
		{name: "a pseudo-header too late", head: head(sandbox, field{"x-app", "1"}, field{":path", "/b"}), status: 400, but1: true},
		{name: "a pseudo-header twice", head: head(sandbox, field{":path", "/b"}), status: 400, but1: true},
		{name: "an unknown pseudo-header", head: head(sandbox, field{":x", "1"}), status: 400, but1: true},
		{name: "a status", head: head(sandbox, field{":status", "200"}), status: 400, but1: true},
		{name: "a protocol without CONNECT", head: head(sandbox, field{":protocol", "websocket"}), status: 501, but1: true},
		{name: "no path", head: with(func(h []field) { h[3].value = "" }), status: 400},
		{name: "a path without a slash", head: with(func(h []field) { h[3].value = "a" }), status: 400},
		{name: "a blank in the path", head: with(func(h []field) { h[3].value = "/a b" }), status: 400},
		{name: "a method that is none", head: with(func(h []field) { h[0].value = "GE T" }), status: 400},
		{name: "no method", head: with(func(h []field) { h[0].value = "" }), status: 400},
		{name: "TRACE", head: with(func(h []field) { h[0].value = "TRACE" }), status: 405},
		{name: "CONNECT with a path", head: with(func(h []field) { h[0].value = "CONNECT" }), status: 405},
		{name: "lengths that differ", head: head(sandbox, field{"content-length", "1"}, field{"content-length", "2"}), status: 400},
		{name: "a negative length", head: head(sandbox, field{"content-length", "-1"}), status: 400},
		{name: "two routing headers", head: head(host, field{"opensandbox-ingress-to", id + "-8080"}, field{"opensandbox-ingress-to", id + "-8081"}), status: 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, s := range all {
				if c.but1 && s.name == "HTTP1" {
					continue
				}
				before := got.count()
				status := s.send(t, c.head)
				if c.passes {
					require.Equal(t, 200, status, s.name)
					require.Equal(t, before+1, got.count(), s.name)
					require.Equal(t, "/a%2Fb?q=%20", got.last(t).RequestURI, s.name)
					continue
				}
				if status != refused {
					require.Equal(t, c.status, status, s.name)
				}
				require.Equal(t, before, got.count(), "%s: the sandbox saw it", s.name)
			}
		})
	}
}
