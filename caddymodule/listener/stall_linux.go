package listener

import (
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// StallTimeout is how long a client may leave what it is sent unread, or unacknowledged,
// while more waits to be sent; the kernel ends the connection then (threat row X2).
// Streams on which nothing is sent are not concerned.
const StallTimeout = 5 * time.Minute

// stallTimeout is StallTimeout, or less in tests.
var stallTimeout atomic.Int64

func init() { stallTimeout.Store(int64(StallTimeout)) }

func boundStall(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	bound := time.Duration(stallTimeout.Load()).Milliseconds()
	_ = raw.Control(func(fd uintptr) {
		// Where the kernel cannot, the server's own write timeout is what remains.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(bound))
	})
}
