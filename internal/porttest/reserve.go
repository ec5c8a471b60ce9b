package porttest

import (
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Reserve returns a port, of 127.0.0.1 as of any other address, that is nobody else's until
// the test ends. It refuses connections, and whoever is told of it may listen there: the
// port is bound, not listened on, so the kernel gives it to none that ask for any.
func Reserve(t testing.TB) netip.AddrPort {
	t.Helper()
	syscall.ForkLock.RLock() // no child inherits it
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	require.NoError(t, os.NewSyscallError("socket", err))
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	require.NoError(t, syscall.Bind(fd, new(syscall.SockaddrInet4)))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*syscall.SockaddrInet4).Port))
}
