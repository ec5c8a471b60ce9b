package ingress_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle"
)

var cores = []upstream.Core{upstream.Direct, upstream.NetHTTP}

// sparse is a sandbox that costs next to nothing, so that what is measured is the edge.
func sparse(b *testing.B) net.Addr {
	const answer = "HTTP/1.1 200 OK\r\nServer: sparse\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\n" +
		"Content-Type: application/json\r\nContent-Length: 16\r\nConnection: keep-alive\r\n\r\n{\"status\": \"ok\"}"
	return listen(b, func(c net.Conn) {
		in := make([]byte, 4096)
		for n := 0; ; {
			m, err := c.Read(in[n:])
			if err != nil {
				return
			}
			if n += m; bytes.HasSuffix(in[:n], []byte("\r\n\r\n")) {
				if n = 0; func() bool { _, err := io.WriteString(c, answer); return err != nil }() {
					return
				}
			}
		}
	}).Addr()
}

// void is a client that takes everything.
type void struct {
	header http.Header
	status int
}

func (v *void) Header() http.Header         { return v.header }
func (v *void) Write(p []byte) (int, error) { return len(p), nil }
func (v *void) WriteHeader(status int)      { v.status = status }
func (v *void) FlushError() error           { return nil }

// BenchmarkHandler is one request through authentication and the handler to a sandbox
// over loopback, without the server in front.
func BenchmarkHandler(b *testing.B) {
	for _, c := range cores {
		b.Run(string(c), func(b *testing.B) {
			core = c
			e := newEdge(b)
			e.publish(b, lifecycle.Entry{ID: id, State: lifecycle.Running}, sparse(b), 8080)
			h, _ := newHandlerBehindAuth(b, e)
			for _, f := range forms("8080") {
				b.Run(f.name, func(b *testing.B) {
					r := httptest.NewRequest("GET", "http://"+f.host+f.prefix+"/a", nil)
					r.RequestURI = f.prefix + "/a"
					if f.header != "" {
						r.Header.Set("OpenSandbox-Ingress-To", f.header)
					}
					b.ReportAllocs()
					for b.Loop() {
						w := &void{header: http.Header{}}
						h.ServeHTTP(w, r)
						if w.status != 200 {
							b.Fatal(w.status)
						}
					}
				})
			}
		})
	}
}

// BenchmarkCore is the round trip alone.
func BenchmarkCore(b *testing.B) {
	for _, c := range cores {
		b.Run(string(c), func(b *testing.B) {
			e := newEdge(b)
			addr := sparse(b)
			entry := e.publish(b, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			buf := make([]byte, 32<<10)
			b.ReportAllocs()
			for b.Loop() {
				res, err := e.upstreams.RoundTrip(ctx, c, &upstream.Request{
					Entry: entry, Addr: addr.(*net.TCPAddr).AddrPort(), Method: "GET", Path: "/a", Host: "sandbox", Peer: idlePeer{},
				})
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = res.Body.Read(buf)
				}
				_ = res.Body.Close()
			}
		})
	}
}

type idlePeer struct{}

var benchHeader = http.Header{"Accept": {"*/*"}, "User-Agent": {"bench"}}

func (idlePeer) Fields(yield func(string, []string)) {
	for name, values := range benchHeader {
		yield(name, values)
	}
}
func (idlePeer) Interim(int, http.Header) {}
func (idlePeer) Cut()                     {}

// BenchmarkWithoutEdge is net/http's client by itself.
func BenchmarkWithoutEdge(b *testing.B) {
	addr := sparse(b)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequest("GET", "http://"+addr.String()+"/a", nil)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		res, err := transport.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}
