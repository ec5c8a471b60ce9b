//go:build !linux

package listener

import (
	"errors"
	"net"
)

// setBacklog is Linux's: elsewhere the key is accepted and said to have no effect.
func setBacklog(*net.TCPListener, int) (int, error) {
	return 0, errors.New("server.backlog has no effect on this system")
}
