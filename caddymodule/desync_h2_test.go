package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// downgrades are requests over HTTP/2 that would be something else when written as
// HTTP/1.1: raw header lists, with content or without. served says that the request is
// sound as Go has read it.
var downgrades = []struct {
	name   string
	fields []string // name, value, …; after the pseudo fields
	pseudo map[string]string
	data   string
	served bool
}{
	{name: "plain", served: true},
	{name: "with content", data: "abc", fields: []string{"content-length", "3"}, served: true},
	{name: "line end in a value", fields: []string{"x", "a\r\ncontent-length: 5"}},
	{name: "bare LF in a value", fields: []string{"x", "a\nb: c"}},
	{name: "bare CR in a value", fields: []string{"x", "a\rb: c"}},
	{name: "NUL in a value", fields: []string{"x", "a\x00b"}},
	{name: "line end in a name", fields: []string{"x\r\ny", "a"}},
	{name: "colon in a name", fields: []string{"x:y", "a"}},
	{name: "space in a name", fields: []string{"x y", "a"}},
	{name: "upper case", fields: []string{"X-Upper", "a"}},
	{name: "empty name", fields: []string{"", "a"}},
	{name: "transfer-encoding", fields: []string{"transfer-encoding", "chunked"}, data: "0\r\n\r\n"},
	{name: "connection", fields: []string{"connection", "close"}},
	{name: "keep-alive", fields: []string{"keep-alive", "1"}},
	{name: "proxy-connection", fields: []string{"proxy-connection", "x"}},
	{name: "upgrade", fields: []string{"upgrade", "websocket"}},
	{name: "te", fields: []string{"te", "gzip"}},
	{name: "content longer than said", fields: []string{"content-length", "1"}, data: "abc"},
	{name: "content shorter than said", fields: []string{"content-length", "10"}, data: "abc"},
	{name: "two lengths", fields: []string{"content-length", "3", "content-length", "4"}, data: "abc"},
	{name: "odd length", fields: []string{"content-length", "+3"}, data: "abc"},
	{name: "another host", fields: []string{"host", "other"}},
	{name: "pseudo field later", fields: []string{"x", "y", ":path", "/" + smuggled}},
	{name: "space in the path", pseudo: map[string]string{":path": "PATH HTTP/1.1\r\nHost: x\r\n\r\nGET /" + smuggled}},
	{name: "space in the method", pseudo: map[string]string{":method": "GET /" + smuggled + " HTTP/1.1\r\n\r\nGET"}},
	{name: "odd authority", pseudo: map[string]string{":authority": "a\r\nx: y"}},
	{name: "no authority", pseudo: map[string]string{":authority": ""}},
	{name: "no path", pseudo: map[string]string{":path": ""}},
	{name: "unknown pseudo field", pseudo: map[string]string{":odd": "x"}},
}

func TestNoRequestIsSmuggledByHTTP2(t *testing.T) {
	for _, core := range []string{"direct", "nethttp"} {
		t.Run(core, func(t *testing.T) {
			lastConnection(t)
			r := newRig(t)
			sandbox, path := r.record()
			r.load(r.toml(testKey, "[ingress]\nproxy_core = \""+core+"\""))
			for i, c := range downgrades {
				t.Run(c.name, func(t *testing.T) {
					status := r.sendFrames(t, fmt.Sprint(path, "h", i, "/"), c.pseudo, c.fields, c.data)
					if c.served {
						require.Equal(t, "200", status)
					} else {
						require.NotEqual(t, "200", status)
					}
				})
			}
			sandbox.stop()
			for i, c := range downgrades {
				complete := of(sandbox.complete, fmt.Sprint("/h", i, "/"))
				require.Equal(t, c.served, len(complete) == 1, c.name)
				require.LessOrEqual(t, len(of(sandbox.begun, fmt.Sprint("/h", i, "/"))), 1, c.name)
			}
			for _, one := range sandbox.begun {
				require.NotContains(t, one, smuggled)
			}
		})
	}
}

// sendFrames sends one request as frames, by prior knowledge, and returns the status of
// the answer, "reset" or "closed".
func (r *rig) sendFrames(t *testing.T, path string, pseudo map[string]string, fields []string, data string) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(wait)))
	_, err = io.WriteString(conn, http2.ClientPreface)
	require.NoError(t, err)
	framer := http2.NewFramer(conn, conn)
	framer.AllowIllegalWrites = true
	require.NoError(t, framer.WriteSettings())

	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	all := map[string]string{":method": "POST", ":scheme": "http", ":authority": r.addr, ":path": path}
	for name, value := range pseudo {
		all[name] = string(bytes.ReplaceAll([]byte(value), []byte("PATH"), []byte(path)))
	}
	for _, name := range []string{":method", ":scheme", ":authority", ":path", ":odd"} {
		if all[name] != "" {
			require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: name, Value: all[name]}))
		}
	}
	for pair := range slices.Chunk(fields, 2) {
		require.NoError(t, encoder.WriteField(hpack.HeaderField{Name: pair[0], Value: pair[1]}))
	}
	require.NoError(t, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: data == ""}))
	if data != "" {
		_ = framer.WriteData(1, true, []byte(data))
	}
	decoder := hpack.NewDecoder(4096, nil)
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			var timeout net.Error
			require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "no answer came")
			return "closed"
		}
		switch f := frame.(type) {
		case *http2.RSTStreamFrame:
			return "reset"
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return "closed"
			}
		case *http2.HeadersFrame:
			got, err := decoder.DecodeFull(f.HeaderBlockFragment())
			require.NoError(t, err)
			return got[0].Value
		}
	}
}
