package listener

import (
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// setBacklog calls listen(2) once more on the bound socket, which changes the queue's
// length on Linux. It returns the kernel's cap, 0 when unknown.
func setBacklog(ln *net.TCPListener, n int) (limit int, err error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return 0, err
	}
	if controlErr := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), n) }); controlErr != nil {
		return 0, controlErr
	}
	if text, readErr := os.ReadFile("/proc/sys/net/core/somaxconn"); readErr == nil {
		limit, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	return limit, err
}
