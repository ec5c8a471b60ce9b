package upstream

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// boundStall has the kernel end the connection when the sandbox takes nothing of what is
// sent for stallTimeout.
func boundStall(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		// Where the kernel cannot, the client's patience is what remains.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(stallTimeout.Milliseconds()))
	})
}
