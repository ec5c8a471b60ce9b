package listener

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// PortFree reports whether address ("host:port") can be bound, without opening it:
// the socket is bound but never listens, so no client can connect meanwhile. The
// error wraps syscall.EADDRINUSE when somebody listens there.
func PortFree(ctx context.Context, address string) error {
	addrs, err := (&net.Resolver{}).LookupIPAddr(ctx, hostOf(address))
	if err != nil {
		return fmt.Errorf("resolving %q: %w", address, err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("bad port in %q: %w", address, err)
	}
	if err := tryBind(chosen(addrs), int(number)); err != nil {
		return fmt.Errorf("binding %s: %w", address, err)
	}
	return nil
}

// chosen is the address of a name that Go listens on: the first, IPv4 before IPv6.
func chosen(addrs []net.IPAddr) net.IP {
	for _, a := range addrs {
		if a.IP.To4() != nil {
			return a.IP
		}
	}
	return addrs[0].IP // a lookup without an error has a result
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return "0.0.0.0"
	}
	return host
}

func tryBind(ip net.IP, port int) error {
	family, sockaddr := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: port, Addr: [16]byte(ip.To16())})
	if v4 := ip.To4(); v4 != nil {
		family, sockaddr = unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: [4]byte(v4)}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer func() { _ = unix.Close(fd) }()
	// As Go does for listeners: connections in TIME_WAIT are no obstacle.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, sockaddr); err != nil {
		if errno, ok := err.(syscall.Errno); ok && errno == unix.EAFNOSUPPORT {
			return nil // no IPv6 here: the real listener will not use it either
		}
		return os.NewSyscallError("bind", err)
	}
	return nil
}
