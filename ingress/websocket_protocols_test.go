package ingress_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func (p protocol) dial(ctx context.Context, f form, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	if header == nil {
		header = http.Header{}
	}
	if f.header != "" {
		header.Set("OpenSandbox-Ingress-To", f.header)
	}
	return websocket.Dial(ctx, "ws"+strings.TrimPrefix(p.url, "http")+f.prefix+"/ws?q=%20", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: p.upgrade},
		Host:       f.host, HTTPHeader: header, Subprotocols: protocols, CompressionMode: websocket.CompressionContextTakeover,
	})
}

// tunnel opens a WebSocket without speaking its protocol.
func (p protocol) tunnel(t testing.TB, ctx context.Context) (*http.Response, io.ReadWriteCloser) {
	t.Helper()
	f := direct("8080")
	r := f.request(t, p.edge, "GET", "/ws", nil).WithContext(ctx)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket",
		"Sec-Websocket-Version": "13", "Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
	} {
		r.Header[name] = []string{value}
	}
	res, err := p.upgrade.RoundTrip(r)
	require.NoError(t, err)
	stream, _ := res.Body.(io.ReadWriteCloser)
	return res, stream
}

// rawSandbox accepts WebSockets and hands their connections over as they are.
func rawSandbox(t testing.TB, e *edge, answer string) <-chan *net.TCPConn {
	t.Helper()
	accepted := make(chan *net.TCPConn, 16)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				_ = c.Close()
				continue
			}
			_, _ = io.WriteString(c, answer)
			accepted <- c.(*net.TCPConn)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
		for len(accepted) > 0 {
			_ = (<-accepted).Close()
		}
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
	return accepted
}

// The edge makes up the key of an extended CONNECT, so raw sandboxes have to compute.
func keyedSandbox(t testing.TB, e *edge, after func(*net.TCPConn, *bufio.Reader)) {
	t.Helper()
	s := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\nSec-WebSocket-Accept: " +
			ingress.WebSocketAccept(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n")
		_ = rw.Flush()
		after(c.(*net.TCPConn), rw.Reader)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-served })
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
}

func TestWebSocketOverEveryProtocol(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		got.mu.Lock()
		got.requests = append(got.requests, r.Clone(context.Background()))
		got.mu.Unlock()
		echo(w, r)
	}, 8080)
	big := make([]byte, 300<<10)
	_, _ = rand.Read(big)
	for _, p := range protocols(t, e) {
		for _, f := range forms("8080") {
			t.Run(p.name+"/"+f.name, func(t *testing.T) {
				ctx := withTimeout(t)
				c, res, err := p.dial(ctx, f, http.Header{
					"Origin": {"https://page.example"}, "X-App": {"1"}, "X-Request-Id": {"ws-1"}, "Te": {"trailers"},
				}, "v1", "v2")
				require.NoError(t, err)
				defer func() { _ = c.CloseNow() }()
				require.Equal(t, "v2", c.Subprotocol())
				require.Equal(t, f.cookies("a=1", "b=2"), res.Header["Set-Cookie"])
				require.Contains(t, res.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate", "negotiated end to end")
				require.Equal(t, "ws-1", res.Header.Get("X-Request-ID"))
				require.NotContains(t, res.Header, "Content-Length")

				r := got.last(t)
				require.Equal(t, "GET /ws?q=%20 HTTP/1.1", r.Method+" "+r.RequestURI+" "+r.Proto)
				require.Equal(t, "https://page.example", r.Header.Get("Origin"))
				require.Equal(t, "1", r.Header.Get("X-App"))
				require.Equal(t, f.host, r.Header.Get("X-Forwarded-Host"))
				require.Equal(t, []string{"13"}, r.Header["Sec-Websocket-Version"])
				require.Len(t, r.Header["Sec-Websocket-Key"], 1)
				for name := range r.Header {
					require.NotContains(t, name, ":")
				}

				c.SetReadLimit(-1)
				for _, m := range [][]byte{[]byte("hello"), {}, big[:resting-8], big[:resting], big[:4*resting], big} {
					require.NoError(t, c.Write(ctx, websocket.MessageBinary, m))
					kind, answer, err := c.Read(ctx)
					require.NoError(t, err)
					require.Equal(t, websocket.MessageBinary, kind)
					require.True(t, string(m) == string(answer))
				}
				require.NoError(t, c.Write(ctx, websocket.MessageText, []byte("bye")))
				_, _, err = c.Read(ctx)
				var closed websocket.CloseError
				require.ErrorAs(t, err, &closed)
				require.Equal(t, websocket.StatusCode(4321), closed.Code)
				require.Equal(t, "as you wish", closed.Reason)
			})
		}
	}
}

// resting is about the edge's buffer of an idle direction: sizes around it are tried.
const resting = 1 << 10

func TestRefusedWebSocketsAreRelayedInFull(t *testing.T) {
	e := newEdge(t)
	long := strings.Repeat("no", 50_000)
	e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Want") == "plain" {
			_, _ = io.WriteString(w, "no WebSockets here")
			return
		}
		w.Header()["X-Why"] = []string{"a", "b"}
		http.Error(w, long, http.StatusForbidden)
	}, 8080)
	e.publish(t, lifecycle.Entry{ID: "locked", State: lifecycle.Running, ExecdTokenSum: tokenSum("t")},
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, wire.PortExecd)
	for _, p := range protocols(t, e) {
		t.Run(p.name, func(t *testing.T) {
			ctx := withTimeout(t)
			res, _ := p.tunnel(t, ctx)
			require.Equal(t, 403, res.StatusCode)
			require.Equal(t, []string{"a", "b"}, res.Header["X-Why"])
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, long+"\n", string(body))
			_ = res.Body.Close()

			_, res, err = p.dial(ctx, direct("8080"), http.Header{"X-Want": {"plain"}})
			require.Error(t, err)
			if p.name == "HTTP1" {
				require.Equal(t, 200, res.StatusCode)
			} else {
				require.Equal(t, 502, res.StatusCode, "a 200 would say that the tunnel is open")
			}
			for sandbox, status := range map[string]int{"locked/proxy/44772": 401, "unknown/proxy/1": 404} {
				_, res, err := p.dial(ctx, form{host: host, prefix: "/sandboxes/" + sandbox}, nil)
				require.Error(t, err)
				require.Equal(t, status, res.StatusCode)
			}
		})
	}
}

// A 101 has to answer this very handshake (threat rows B2, B3).
func TestSwitchesThatNobodyAskedForAreRefused(t *testing.T) {
	const head = "HTTP/1.1 101 Switching Protocols\r\n"
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	for name, answer := range map[string]string{
		"another protocol": head + "Connection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: " + ingress.WebSocketAccept("AAAAAAAAAAAAAAAAAAAAAA==") + "\r\n\r\n",
		"no accept":        head + upgrade + "\r\n",
		"wrong accept":     head + upgrade + "Sec-WebSocket-Accept: " + ingress.WebSocketAccept("x") + "\r\n\r\n",
		"two accepts": head + upgrade + strings.Repeat("Sec-WebSocket-Accept: "+
			ingress.WebSocketAccept("AAAAAAAAAAAAAAAAAAAAAA==")+"\r\n", 2) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			conns := rawSandbox(t, e, answer)
			for _, p := range protocols(t, e) {
				res, _ := p.tunnel(t, withTimeout(t))
				require.Equal(t, 502, res.StatusCode, p.name)
				_ = res.Body.Close()
				c := <-conns
				_ = c.SetReadDeadline(time.Now().Add(eventually))
				_, err := c.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF, "the connection is given up")
				_ = c.Close()
			}
		})
	}
}

func TestHalfClosedWebSockets(t *testing.T) {
	e := newEdge(t)
	keyedSandbox(t, e, func(c *net.TCPConn, in *bufio.Reader) {
		all, err := io.ReadAll(in)
		if err == nil {
			_, _ = c.Write(append([]byte("got "), all...))
		}
	})
	for _, p := range protocols(t, e) {
		t.Run(p.name, func(t *testing.T) {
			_, stream := p.tunnel(t, withTimeout(t))
			defer func() { _ = stream.Close() }()
			_, err := io.WriteString(stream, "all")
			require.NoError(t, err)
			require.NoError(t, stream.(interface{ CloseWrite() error }).CloseWrite())
			answer, err := io.ReadAll(stream)
			require.NoError(t, err, "an orderly end")
			require.Equal(t, "got all", string(answer))
		})
	}
}

// Bytes that come with the switch belong to the WebSocket, and an end is not a failure.
func TestBytesRightAfterTheSwitch(t *testing.T) {
	e := newEdge(t)
	keyedSandbox(t, e, func(c *net.TCPConn, _ *bufio.Reader) { _, _ = io.WriteString(c, "first") })
	for _, p := range protocols(t, e) {
		t.Run(p.name, func(t *testing.T) {
			_, stream := p.tunnel(t, withTimeout(t))
			defer func() { _ = stream.Close() }()
			all, err := io.ReadAll(stream)
			require.NoError(t, err)
			require.Equal(t, "first", string(all))
		})
	}
}

func TestBrokenWebSocketsResetTheStream(t *testing.T) {
	e := newEdge(t)
	broken := make(chan error, 1)
	keyedSandbox(t, e, func(c *net.TCPConn, in *bufio.Reader) {
		line, err := in.ReadString('\n')
		if line == "break\n" {
			_ = c.SetLinger(0)
			return
		}
		broken <- err
	})
	for _, p := range protocols(t, e) {
		t.Run(p.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(withTimeout(t))
			defer cancel()
			_, stream := p.tunnel(t, ctx)
			_, err := io.WriteString(stream, "break\n")
			require.NoError(t, err)
			_, err = io.ReadAll(stream)
			if p.name != "HTTP1" { // whose clients miss the close frame
				require.Error(t, err)
			}
			_ = stream.Close()

			_, stream = p.tunnel(t, ctx)
			_, err = io.WriteString(stream, "unfinished")
			require.NoError(t, err)
			cancel()
			_ = stream.Close()
			require.Error(t, <-broken, "the sandbox learns of it")
		})
	}
}

func TestEveryWebSocketEndsWithTheSandbox(t *testing.T) {
	t.Parallel()
	e := newEdge(t)
	ready := make(chan struct{}, 8)
	for _, p := range protocols(t, e) {
		for name, after := range map[string]func(*net.TCPConn, *bufio.Reader){
			"silent": func(_ *net.TCPConn, in *bufio.Reader) {
				ready <- struct{}{}
				_, _ = in.ReadByte()
			},
			// The client does not read: the edge is stuck in a write.
			"flooding": func(c *net.TCPConn, _ *bufio.Reader) {
				_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
				for block := make([]byte, 1<<20); ; {
					if _, err := c.Write(block); err != nil {
						break
					}
				}
				ready <- struct{}{}
				_, _ = c.Read(make([]byte, 1))
			},
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				keyedSandbox(t, e, after)
				_, stream := p.tunnel(t, withTimeout(t))
				defer func() { _ = stream.Close() }()
				<-ready
				started := time.Now()
				e.Remove(id, lifecycle.ErrGone)
				_, err := io.Copy(io.Discard, stream)
				if p.name != "HTTP1" {
					require.Error(t, err)
				}
				require.Less(t, time.Since(started), promptly)
			})
		}
	}
}

func TestConnectOpensNothingElse(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	for _, p := range protocols(t, e)[1:] {
		t.Run(p.name, func(t *testing.T) {
			for protocol, status := range map[string]int{"": 405, "connect-udp": 501, "h2c": 501} {
				r := direct("8080").request(t, p.edge, "CONNECT", "/", nil)
				switch {
				case protocol == "":
					r.URL.Path = ""
				case p.name == "HTTP3":
					r.Proto = protocol
				default:
					r.Header[":protocol"] = []string{protocol}
				}
				res, err := p.round.RoundTrip(r)
				require.NoError(t, err)
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				require.Equal(t, status, res.StatusCode, protocol)
			}
		})
	}
	require.Zero(t, got.count())
}
