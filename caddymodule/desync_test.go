package caddymodule

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/caddymodule/listener"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// The desync suite of threat row B1: what a client may send to have the edge and the
// sandbox disagree about where a request ends, through real sockets. Whatever is sent, the
// sandbox sees no request that was not one.

// recorder is a sandbox that writes down what arrives.
type recorder struct {
	stop func() // and wait until everything that arrived is written down

	mu       sync.Mutex
	begun    []string // targets of heads
	complete []string // targets of requests that came to their end
}

// record puts a recorder behind the sandbox and returns the path of its port.
func (r *rig) record() (*recorder, string) {
	r.t.Helper()
	address := ownAddress(r.t)
	ln, err := net.Listen("tcp", net.JoinHostPort(address.String(), "0"))
	require.NoError(r.t, err)
	b := new(recorder)
	var wg sync.WaitGroup
	var conns sync.Map
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, nil)
			wg.Go(func() { b.serve(conn) })
		}
	})
	b.stop = func() {
		_ = ln.Close()
		conns.Range(func(conn, _ any) bool {
			_ = conn.(*net.TCPConn).SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			return true
		})
		wg.Wait()
	}
	r.t.Cleanup(b.stop)
	r.fake.Address = address
	require.NoError(r.t, r.fake.Place(lifecycle.Spec{ID: sandboxID, Image: "demo", Entrypoint: []string{"sleep"}, Timeout: time.Hour}))
	return b, fmt.Sprintf("/sandboxes/%s/proxy/%d/", sandboxID, ln.Addr().(*net.TCPAddr).Port)
}

func (b *recorder) serve(conn net.Conn) {
	defer conn.Close()
	for in := bufio.NewReader(conn); ; {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		b.mu.Lock()
		b.begun = append(b.begun, req.RequestURI)
		b.mu.Unlock()
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		b.mu.Lock()
		b.complete = append(b.complete, req.RequestURI)
		b.mu.Unlock()
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

// of returns the targets below a path.
func of(targets []string, path string) (found []string) {
	for _, one := range targets {
		if strings.HasPrefix(one, path) {
			found = append(found, one)
		}
	}
	return found
}

const (
	smuggled  = "SMUGGLED"
	inContent = -400
)

// desyncs are requests after which the connection holds a further one that must never be
// seen. PATH is the sandbox, HOST the edge. refused is the status over plain HTTP/1.1;
// inContent = 400 when the sandbox may have seen the head; 0 = the client left in the middle
// of the content; 200 = served, alone.
var desyncs = []struct {
	name, raw string
	status    int
}{
	{"length and chunked", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT", 400},
	{"chunked and length", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nNEXT", 400},
	{"length and chunked on GET", "GET PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT", 400},
	{"two lengths", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\nNEXT", 400},
	{"one length twice", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\nNEXT", 400},
	{"list of lengths", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0, 44\r\n\r\nNEXT", 400},
	{"plus", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: +0\r\n\r\nNEXT", 400},
	{"minus", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\nNEXT", 400},
	{"length overflows", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 18446744073709551616\r\n\r\nNEXT", 400},
	{"xchunked", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\nNEXT", 400},
	{"identity", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: identity\r\n\r\nNEXT", 400},
	{"chunked, chunked", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\nNEXT", 400},
	{"gzip, chunked", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\nNEXT", 400},
	{"two codings", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\nNEXT", 400},
	{"vertical tab", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\nNEXT", 400},
	{"space before colon", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\nNEXT", 400},
	{"coding by a fold", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\nNEXT", 400},
	{"chunked in HTTP/1.0", "POST PATH HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nNEXT", 400},
	{"folded", "GET PATH HTTP/1.1\r\nHost: HOST\r\nX: a\r\n b\r\n\r\nNEXT", 400},
	{"folded by tab", "GET PATH HTTP/1.1\r\nHost: HOST\r\nX: a\r\n\tContent-Length: 3\r\n\r\nNEXT", 400},
	{"first field folded", "GET PATH HTTP/1.1\r\n Host: HOST\r\n\r\nNEXT", 400},
	{"bare LF", "GET PATH HTTP/1.1\nHost: HOST\n\nNEXT", 400},
	{"one bare LF", "GET PATH HTTP/1.1\r\nHost: HOST\r\nX: a\nContent-Length: 50\r\n\r\nNEXT", 400},
	{"head ends in bare LF", "GET PATH HTTP/1.1\r\nHost: HOST\r\n\nNEXT", 400},
	{"bare CR", "GET PATH HTTP/1.1\r\nHost: HOST\r\nX: a\rContent-Length: 50\r\n\r\nNEXT", 400},
	{"NUL in a value", "GET PATH HTTP/1.1\r\nHost: HOST\r\nX: \x00\r\n\r\nNEXT", 400},
	{"NUL in a name", "GET PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length\x00: 50\r\n\r\nNEXT", 400},
	{"NUL in the target", "GET PATH\x00 HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"two hosts", "GET PATH HTTP/1.1\r\nHost: HOST\r\nHost: other\r\n\r\nNEXT", 400},
	{"one host twice", "GET PATH HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"no host", "GET PATH HTTP/1.1\r\n\r\nNEXT", 400},
	{"empty host", "GET PATH HTTP/1.1\r\nHost:\r\n\r\nNEXT", 400},
	{"odd host", "GET PATH HTTP/1.1\r\nHost: a b\r\n\r\nNEXT", 400},
	{"absolute target of another host", "GET http://otherPATH HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"absolute target with user", "GET http://x@HOSTPATH HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"absolute target", "GET http://HOSTPATH HTTP/1.1\r\nHost: HOST\r\n\r\n", 200},
	{"no version", "GET PATH\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"other version", "GET PATH HTTP/2.0\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"spaces in the target", "GET PATH HTTP/1.1 x HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"tab in the request line", "GET\tPATH HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"odd method", "G(T PATH HTTP/1.1\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\nHost: HOST\r\n\r\nNEXT", 400},
	{"no colon", "GET PATH HTTP/1.1\r\nHost: HOST\r\nx\r\n\r\nNEXT", 400},
	{"large head", "GET PATH HTTP/1.1\r\nHost: HOST\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n", 200},
	{"oversized head", "GET PATH HTTP/1.1\r\nHost: HOST\r\nX: " + strings.Repeat("x", 80<<10), 431},
	{"oversized request line", "GET PATH?" + strings.Repeat("x", 80<<10), 431},
	{"a request as content", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 39\r\n\r\nGET /SMUGGLED HTTP/1.1\r\nHost: other\r\n\r\n", 200},
	{"a request as a chunk", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n27\r\nGET /SMUGGLED HTTP/1.1\r\nHost: other\r\n\r\n\r\n0\r\n\r\n", 200},
	{"a length as a trailer", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 50\r\n\r\n", inContent},
	{"long extension", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 5000) + "\r\na\r\n0\r\n\r\nNEXT", inContent},
	{"bare LF in an extension", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\nNEXT", inContent},
	{"chunk size overflows", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\nNEXT", inContent},
	{"chunk size with a sign", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\nNEXT", inContent},
	{"chunk size with 0x", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\nNEXT", inContent},
	{"chunk ends in bare LF", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\nNEXT", inContent},
	{"chunk longer than said", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\nNEXT", inContent},
	{"chunk size in bare LF", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc", inContent},
	{"chunk size with a minus", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\nNEXT", inContent},
	{"extension in bare LF", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nXabc\r\n0\r\n\r\nNEXT", inContent},
	{"second chunk in bare LF", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n3\nabc", inContent},
	{"early end", "POST PATH HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1000\r\n\r\nNEXT", 0},
	{"early end of chunks", "POST PATH HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n500\r\nNEXT", 0},
}

// expand makes a raw request of a row.
func expand(raw, host, path string) string {
	return strings.NewReplacer("HOST", host, "PATH", path, "NEXT",
		"GET "+path+smuggled+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n").Replace(raw)
}

// lastConnection waits, after everything else, until net/http has closed the connections it
// refused: it gives clients half a second to read why.
func lastConnection(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		require.NoError(t, listener.WaitConnections(ctx))
	})
}

// sides are the readers of a request: Caddy's server reads the first one of a connection,
// the lane those that follow one into a sandbox.
var sides = map[string]bool{"first": false, "later": true}

func TestNoRequestIsSmuggled(t *testing.T) {
	for _, core := range []string{"direct", "nethttp"} {
		t.Run(core, func(t *testing.T) {
			lastConnection(t)
			r := newRig(t)
			sandbox, path := r.record()
			r.load(r.toml(testKey, "[ingress]\nproxy_core = \""+core+"\""))
			for side, later := range sides {
				for i, c := range desyncs {
					t.Run(side+" "+c.name, func(t *testing.T) {
						conn, err := net.Dial("tcp", r.addr)
						require.NoError(t, err)
						defer conn.Close()
						if later {
							require.Equal(t, []int{200}, talk(t, conn, expand("GET PATH HTTP/1.1\r\nHost: HOST\r\n\r\n", r.addr, path), false))
						}
						raw := expand(c.raw, r.addr, fmt.Sprint(path, side, i, "/"))
						if c.status == 200 { // a client that closes its side may be taken for gone
							require.Equal(t, []int{200}, talk(t, conn, raw, false))
							require.Empty(t, talk(t, conn, "", true))
							return
						}
						statuses := talk(t, conn, raw, true)
						if c.status == 0 {
							require.NotContains(t, statuses, 200)
							require.LessOrEqual(t, len(statuses), 1)
							return
						}
						require.Equal(t, []int{max(c.status, -c.status)}, statuses)
					})
				}
			}
			sandbox.stop()
			for side := range sides {
				for i, c := range desyncs {
					begun := of(sandbox.begun, fmt.Sprint("/", side, i, "/"))
					complete := of(sandbox.complete, fmt.Sprint("/", side, i, "/"))
					switch c.status {
					case 0, inContent:
						require.LessOrEqual(t, len(begun), 1, "%s %s: %q", side, c.name, begun)
						require.Empty(t, complete, "%s %s", side, c.name)
					case 200:
						require.Len(t, complete, 1, "%s %s", side, c.name)
					default:
						require.Empty(t, begun, "%s %s", side, c.name)
					}
				}
			}
			for _, one := range sandbox.begun {
				require.NotContains(t, one, smuggled)
			}
		})
	}
}

// Over TLS nobody watches below the parser, which accepts more. What it makes of a
// request is framed anew: the sandbox sees a request as Go has read it, and what follows
// it on the connection as a request of its own, of the same client, or nothing of either.
func TestNoRequestIsSmuggledOverTLS(t *testing.T) {
	lastConnection(t)
	r := newRig(t)
	sandbox, path := r.record()
	file := r.toml(testKey)
	cert, key, trust := certificate(t, r.dir)
	edit(t, file, "[server]", fmt.Sprintf("[server]\ntls_cert_file = %q\ntls_key_file = %q", cert, key))
	r.load(file)
	for i, c := range desyncs {
		t.Run(c.name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: trust, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}})
			require.NoError(t, err)
			defer conn.Close()
			talk(t, conn, expand(c.raw, r.addr, fmt.Sprint(path, "tls", i, "/")), true)
		})
	}
	sandbox.stop()
	for i, c := range desyncs {
		begun := of(sandbox.begun, fmt.Sprint("/tls", i, "/"))
		slices.Sort(begun)
		require.Equal(t, slices.Compact(slices.Clone(begun)), begun, "%s: no request is seen twice", c.name)
		require.LessOrEqual(t, len(begun), 1+strings.Count(c.raw, "NEXT"), "%s: %q", c.name, begun)
	}
	require.Empty(t, of(sandbox.begun, "/"+smuggled))
}

// talk sends raw and returns the statuses of the answers: of one, or, with half, of all
// until the edge closes the connection. Then the client ends its side first.
func talk(t *testing.T, conn net.Conn, raw string, half bool) (statuses []int) {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(wait)))
	go func() { // an edge that refuses does not read to the end
		_, _ = io.WriteString(conn, raw)
		if end, ok := conn.(interface{ CloseWrite() error }); half && ok {
			_ = end.CloseWrite()
		}
	}()
	for in := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is still open")
			return statuses
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if statuses = append(statuses, res.StatusCode); !half {
			return statuses
		}
	}
}
