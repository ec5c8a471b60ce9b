//go:build !linux

package listener

import (
	"net"
	"time"
)

// StallTimeout is how long a client may leave what it is sent unread. Other systems than
// Linux have no such bound on connections: a server's write timeout is what remains.
const StallTimeout = 5 * time.Minute

func boundStall(*net.TCPConn) {}
