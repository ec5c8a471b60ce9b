package ingress_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

const someNonce = "AAAAAAAAAAAAAAAAAAAAAA=="

// unreading is a sandbox that answers handshakes and reads nothing behind a head.
func unreading(t *testing.T) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	end := make(chan struct{})
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				head := make([]byte, 1<<10)
				n, _ := c.Read(head)
				if strings.Contains(string(head[:n]), "websocket") {
					_, _ = fmt.Fprintf(c, "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", ingress.WebSocketAccept(someNonce))
				}
				<-end
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); close(end); all.Wait() })
	return ln.Addr()
}

// Clients that have gone give their places back although the sandbox takes nothing of
// what they sent, so that nobody reads from them (threat row X1).
func TestGoneClientsOfASandboxThatDoesNotReadLeave(t *testing.T) {
	f := direct("8080")
	for name, head := range map[string]string{
		"sized":   f.head("POST", "/", "Content-Length: 100000000") + "\r\n",
		"chunked": f.head("POST", "/", "Transfer-Encoding: chunked") + "\r\n5f5e100\r\n",
		"WebSocket": f.head("GET", "/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Key: "+someNonce) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdge(t)
			e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, unreading(t), 8080)
			c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
			require.NoError(t, err)
			defer func() { _ = c.Close() }()
			_, err = io.WriteString(c, head)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return e.inFlight(id) == 1 }, eventually, tick)
			stuck(t, c)
			require.Equal(t, 1, e.inFlight(id), "a client that is there keeps its place")
			require.NoError(t, c.(*net.TCPConn).SetLinger(0)) // Close resets
			require.NoError(t, c.Close())
			require.Eventually(t, func() bool { return e.inFlight(id) == 0 }, eventually, tick)
		})
	}
}

// stuck sends until nothing is taken any more.
func stuck(t *testing.T, c net.Conn) {
	t.Helper()
	piece := make([]byte, 1<<20)
	for {
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
		if _, err := c.Write(piece); err != nil {
			require.ErrorContains(t, err, "timeout")
			return
		}
	}
}
