package listener

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// acceptQueueLimit asks the kernel for the backlog of a listening IPv4 socket of this
// process: TCP_INFO of a listener carries it in the "sacked" counter.
func acceptQueueLimit(t *testing.T, address string) int {
	t.Helper()
	want, err := netip.ParseAddrPort(address)
	require.NoError(t, err)
	var info *unix.TCPInfo
	sockets.Range(func(_, v any) bool {
		tcp := v.(*socket).Listener.(*net.TCPListener)
		if tcp.Addr().(*net.TCPAddr).AddrPort() != want {
			return true
		}
		raw, err := tcp.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		}))
		require.NoError(t, err)
		return false
	})
	require.NotNil(t, info)
	return int(info.Sacked)
}

func TestBacklogIsSetByListeningAgain(t *testing.T) {
	t.Cleanup(func() { SetBacklog(0) })
	ln, err := openSocket(t.Context(), "127.0.0.1:0", net.ListenConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, ln.Close()) }()
	SetBacklog(1)
	// A queue of one takes two connections; the third handshake does not complete.
	tcp := ln.(*view).Listener.(*net.TCPListener)
	limit, err := setBacklog(tcp, 1)
	require.NoError(t, err)
	require.Positive(t, limit)

	require.Equal(t, 1, acceptQueueLimit(t, ln.Addr().String()))
}
