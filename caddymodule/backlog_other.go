//go:build !linux

package caddymodule

import (
	"context"
	"errors"
	"net"
)

// setBacklog is Linux's: elsewhere the key is accepted and said to have no effect.
func setBacklog(*net.TCPListener, int) (int, error) {
	return 0, errors.New("server.backlog has no effect on this system")
}

// PortFree leaves the check to the listener itself.
func PortFree(context.Context, string) error { return nil }
