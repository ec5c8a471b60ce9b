package upstream

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A sandbox that takes nothing holds no connection for ever (threat row X1).
func TestConnectionsToSandboxesHaveABoundOnStalls(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	p := &pool{owner: New(Options{}), ctx: context.Background()}
	c, err := p.connect(t.Context(), ln.Addr().(*net.TCPAddr).AddrPort())
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	raw, err := c.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	bound := 0
	require.NoError(t, raw.Control(func(fd uintptr) {
		bound, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
	}))
	require.NoError(t, err)
	require.Equal(t, int(stallTimeout.Milliseconds()), bound)
}
