package listener

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// generation is one configuration's server.
func generation(t *testing.T, address, name string, hold chan struct{}) *http.Server {
	t.Helper()
	ln, err := openSocket(t.Context(), address, net.ListenConfig{})
	require.NoError(t, err)
	server := &http.Server{ReadHeaderTimeout: time.Minute, ConnState: Follow, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Name", name)
		if r.URL.Path == "/hold" {
			_ = http.NewResponseController(w).Flush() // its head cannot say that it is the last one
			hold <- struct{}{}
			<-hold
		}
	})}
	done := make(chan struct{})
	go func() { _ = server.Serve(ln); close(done) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return server
}

// The next configuration gets the connections that wait for a request: fresh ones, used
// ones, and those whose request outlives the server.
func TestWaitingConnectionsGoToTheNextConfiguration(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	hold := make(chan struct{})
	old := generation(t, address, "old", hold)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	send := func(c net.Conn, text string) {
		_, err := io.WriteString(c, text)
		require.NoError(t, err)
	}
	get := "GET / HTTP/1.1\r\n" + head
	fresh, used, busy := dial(), dial(), dial()
	send(used, get)
	answers(t, used, 200)
	send(busy, "GET /hold HTTP/1.1\r\n"+head)
	<-hold
	require.Eventually(t, func() bool { return len(waiting()) == 2 }, time.Minute, time.Millisecond)

	generation(t, address, "new", hold)
	stopped := make(chan error, 1)
	go func() { stopped <- old.Shutdown(t.Context()) }()
	for _, c := range []net.Conn{fresh, used} {
		send(c, get)
		answerOf(t, c, "new")
	}
	hold <- struct{}{}
	answers(t, busy, 200)
	require.NoError(t, <-stopped)
	send(busy, get)
	answerOf(t, busy, "new")
}

// waiting are the connections whose servers wait for a request.
func waiting() (found []*trackedConn) {
	open.mu.Lock()
	defer open.mu.Unlock()
	for c := range open.all {
		if c.server.waits.Load() {
			found = append(found, c)
		}
	}
	return found
}

func answerOf(t *testing.T, c net.Conn, name string) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	require.NoError(t, err)
	require.Contains(t, string(buf[:n]), "Name: "+name+"\r\n")
}
