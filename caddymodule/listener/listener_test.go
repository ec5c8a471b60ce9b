package listener

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortInUseIsAnError(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	address := other.Addr().String()

	_, err = openSocket(t.Context(), address, net.ListenConfig{})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorIs(t, PortFree(t.Context(), address), syscall.EADDRINUSE)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	require.ErrorIs(t, PortFree(t.Context(), ":"+port), syscall.EADDRINUSE)
}

// The reverse of the theft in threat row K1: with SO_REUSEPORT on the other side only,
// the kernel refuses the second socket.
func TestNobodySharesOurPort(t *testing.T) {
	ln, err := openSocket(t.Context(), "127.0.0.1:0", net.ListenConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, ln.Close()) }()

	thief := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			const soReusePort = 15
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
		}), err)
	}}
	_, err = thief.Listen(t.Context(), "tcp", ln.Addr().String())
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

func TestSocketIsKeptWhileOneConfigurationListens(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	require.NoError(t, PortFree(t.Context(), address))

	old, err := openSocket(t.Context(), address, net.ListenConfig{})
	require.NoError(t, err)
	next, err := openSocket(t.Context(), address, net.ListenConfig{})
	require.NoError(t, err)

	require.NoError(t, old.Close())
	require.NoError(t, old.Close(), "closing twice is harmless")
	_, err = old.Accept()
	require.ErrorIs(t, err, net.ErrClosed)

	client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	conn, err := next.Accept()
	require.NoError(t, err)
	_, err = conn.Write([]byte("x"))
	require.NoError(t, err)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, WaitConnections(gone), "an open connection is waited for")
	require.NoError(t, conn.Close())
	_ = conn.Close() // counts once
	require.NoError(t, WaitConnections(t.Context()))
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
	require.NoError(t, client.Close())

	// A connection that waits in Accept of the old listener reaches the new one.
	waiting := make(chan error, 1)
	third, err := openSocket(t.Context(), address, net.ListenConfig{})
	require.NoError(t, err)
	go func() { _, err := next.Accept(); waiting <- err }()
	require.NoError(t, next.Close())
	require.ErrorIs(t, <-waiting, net.ErrClosed)

	require.NoError(t, third.Close())
	_, err = third.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, PortFree(t.Context(), address), "the last listener closes the socket")
}

func TestListenParsesRanges(t *testing.T) {
	_, err := listen(context.Background(), Network, "127.0.0.1", "nonsense", 0, net.ListenConfig{})
	require.Error(t, err)
	_, err = listen(context.Background(), Network, "127.0.0.1", "65535-65535", 1, net.ListenConfig{})
	require.Error(t, err)
	v, err := listen(context.Background(), Network, "127.0.0.1", "0", 0, net.ListenConfig{})
	require.NoError(t, err)
	require.NoError(t, v.(net.Listener).Close())
}
