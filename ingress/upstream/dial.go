package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/opensandbox-edge/edge/internal/backoff"
)

// Pauses between attempts of a refused connection.
const (
	firstDialPause = 5 * time.Millisecond
	maxDialPause   = 50 * time.Millisecond
)

// dial connects to one port of the sandbox. Between connect and first byte it makes sure
// that the address still is this sandbox's: while the event was on its way the engine
// may have given it to another one (threat row K9). Every error is a *DialError.
func (p *pool) dial(ctx context.Context, addr netip.AddrPort) (*net.TCPConn, error) {
	started := time.Now()
	c, err := p.connect(ctx, addr)
	p.owner.options.Connected(time.Since(started), err)
	if err != nil {
		return nil, &DialError{err}
	}
	if err = p.owner.options.Confirm(ctx, p.entry); err == nil && p.ctx.Err() != nil {
		err = p.cause()
	}
	if err != nil {
		_ = c.Close()
		return nil, &DialError{err}
	}
	return c.(*net.TCPConn), nil
}

// connect tries again for a bounded time while the port is refused. Nothing has been
// sent then, so that is the one failure that is safe to repeat for every request.
func (p *pool) connect(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.ctx, func() { cancel(p.cause()) })()

	deadline := time.Now()
	if addr == p.execd {
		deadline = deadline.Add(p.owner.options.ExecdPatience)
	}
	dialer := net.Dialer{Timeout: dialTimeout, Control: boundStall}
	pauses := backoff.Backoff{First: firstDialPause, Most: maxDialPause}
	for {
		c, err := dialer.DialContext(ctx, "tcp", addr.String())
		if err == nil || !errors.Is(err, syscall.ECONNREFUSED) || !time.Now().Before(deadline) {
			return c, err
		}
		if err := pauses.Wait(ctx); err != nil {
			return nil, err
		}
	}
}
