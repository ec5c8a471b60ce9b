package ingress_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// An idle WebSocket costs the edge goroutines and sockets, no copy buffers. Both ends of
// the test are bare connections, so what is measured is the edge, with net/http's server
// in front.
func TestIdleWebSocketsAreCheap(t *testing.T) {
	const count, most = 400, 40<<10 + raceCosts
	e := newEdge(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
		_ = l.Close()
	}()
	f := direct("8080")
	answer := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
		ingress.WebSocketAccept("AAAAAAAAAAAAAAAAAAAAAA==") + "\r\n\r\n"
	in := bufio.NewReader(nil)
	connect := func() {
		client, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		require.NoError(t, err)
		open = append(open, client)
		require.NoError(t, client.SetDeadline(time.Now().Add(10*eventually)))
		_, err = io.WriteString(client, "GET "+f.prefix+"/ws HTTP/1.1\r\nHost: "+f.host+"\r\n"+wsHandshake+"\r\n")
		require.NoError(t, err)
		sandbox, err := l.Accept()
		require.NoError(t, err)
		open = append(open, sandbox)
		in.Reset(sandbox)
		_, err = http.ReadRequest(in)
		require.NoError(t, err)
		_, err = io.WriteString(sandbox, answer)
		require.NoError(t, err)
		in.Reset(client)
		res, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.Equal(t, 101, res.StatusCode)
		// Both directions have carried something once.
		for _, ends := range [][2]net.Conn{{client, sandbox}, {sandbox, client}} {
			_, err = io.WriteString(ends[0], "hello")
			require.NoError(t, err)
			_, err = io.ReadFull(ends[1], make([]byte, 5))
			require.NoError(t, err)
		}
	}
	connect()
	before := inUse()
	for range count {
		connect()
	}
	each := (inUse() - before) / count
	t.Logf("%d bytes for each idle WebSocket", each)
	require.Less(t, each, int64(most))
}

func inUse() int64 {
	runtime.GC()
	runtime.GC() // pools give up in two steps
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
