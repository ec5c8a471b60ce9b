package ingress

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hasLeft asks the kernel whether the other end has reset the connection or, with ended,
// whether it has said that nothing more comes. No byte is read.
func hasLeft(conn net.Conn, ended bool) bool {
	for {
		over, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = over.NetConn()
	}
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	state := []unix.PollFd{{Events: unix.POLLRDHUP}}
	_ = raw.Control(func(fd uintptr) {
		state[0].Fd = int32(fd)
		_, _ = unix.Poll(state, 0)
	})
	gone := int16(unix.POLLERR | unix.POLLHUP)
	if ended {
		gone |= unix.POLLRDHUP
	}
	return state[0].Revents&gone != 0
}
