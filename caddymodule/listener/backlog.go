package listener

import (
	"net"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// backlog is the wanted length of the accept queue; 0 = what Go asks for.
var backlog atomic.Int64

// applyBacklog sets the length of the accept queue, when one was asked for.
func (s *socket) applyBacklog() {
	want := int(backlog.Load())
	if want == 0 {
		return
	}
	tcp, ok := s.Listener.(*net.TCPListener)
	if !ok {
		return
	}
	limit, err := setBacklog(tcp, want)
	switch {
	case err != nil:
		caddy.Log().Named("opensandbox").Warn("setting server.backlog failed", zap.Error(err))
	case limit > 0 && limit < want:
		caddy.Log().Named("opensandbox").Warn("the kernel caps server.backlog at net.core.somaxconn",
			zap.Int("backlog", want), zap.Int("somaxconn", limit))
	}
}

// SetBacklog changes the wanted length of the accept queue (0 = what Go asks for) and
// applies it to the open sockets, because the app may be started before or after the
// servers that listen.
func SetBacklog(n int) {
	if backlog.Swap(int64(n)) == int64(n) {
		return
	}
	sockets.Range(func(_, v any) bool {
		v.(*socket).applyBacklog()
		return true
	})
}
