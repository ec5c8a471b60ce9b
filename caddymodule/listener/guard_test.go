package listener

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serve runs a server on the network; it answers the path, echoes a hijacked connection,
// at /kept one that stays guarded, and hands connections back at /back.
func serve(t *testing.T) net.Conn {
	t.Helper()
	ln, err := openSocket(t.Context(), "127.0.0.1:0", net.ListenConfig{})
	require.NoError(t, err)
	done := make(chan struct{})
	type connKey struct{}
	remember := func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
	server := &http.Server{ReadHeaderTimeout: time.Minute, ConnContext: remember, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		if r.URL.Path != "/echo" {
			r.Context().Value(connKey{}).(*trackedConn).Keep()
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		unread, _ := rw.Peek(rw.Reader.Buffered())
		if r.URL.Path == "/back" {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Hijacked: yes\r\n\r\n")
			go conn.(interface{ HandBack([]byte) }).HandBack(unread)
			return
		}
		_, _ = fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		_, _ = io.Copy(conn, conn)
		_ = conn.Close()
	})}
	go func() { _ = server.Serve(ln); close(done) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		_ = server.Close()
		<-done
	})
	return conn
}

const head = "Host: a\r\n\r\n"

func answers(t *testing.T, conn net.Conn, statuses ...int) *bufio.Reader {
	t.Helper()
	in := bufio.NewReader(conn)
	for _, want := range statuses {
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		res, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.Equal(t, want, res.StatusCode)
		if want != http.StatusSwitchingProtocols {
			_, _ = io.Copy(io.Discard, res.Body)
		}
	}
	return in
}

func TestTheServerAnswersWhatTheGuardRefused(t *testing.T) {
	conn := serve(t)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\n"+head+"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"+head+"0\r\n\r\n")
	require.NoError(t, err)
	in := answers(t, conn, 200, 400)
	_, err = in.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestAConnectionComesBackWithWhatWasRead(t *testing.T) {
	conn := serve(t)
	for range 3 {
		_, err := io.WriteString(conn, "GET /back HTTP/1.1\r\n"+head+"GET / HTTP/1.1\r\n"+head)
		require.NoError(t, err)
		answers(t, conn, 200, 200)
	}
	_, err := io.WriteString(conn, "GET /back HTTP/1.1\r\n"+head+"GET / HTTP/1.1\nHost: a\r\n\r\n")
	require.NoError(t, err)
	answers(t, conn, 200, 400)
}

func TestAHijackedConnectionIsNotGuarded(t *testing.T) {
	conn := serve(t)
	_, err := io.WriteString(conn, "GET /echo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+head)
	require.NoError(t, err)
	in := answers(t, conn, 101)
	_, err = io.WriteString(conn, "any\n\x00\n")
	require.NoError(t, err)
	echo := make([]byte, 6)
	_, err = io.ReadFull(in, echo)
	require.NoError(t, err)
	require.Equal(t, "any\n\x00\n", string(echo))
}

func TestAKeptConnectionStaysGuarded(t *testing.T) {
	conn := serve(t)
	_, err := io.WriteString(conn, "GET /kept HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+head)
	require.NoError(t, err)
	in := answers(t, conn, 101)
	_, err = io.WriteString(conn, "GET / HTTP/1.1\nHost")
	require.NoError(t, err)
	rest, err := io.ReadAll(in)
	require.NoError(t, err)
	require.Equal(t, ":\r\n\r\n", string(rest))
}
