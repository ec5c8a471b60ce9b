package ingress

import (
	"context"
	"errors"
	"net"
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
// may have given it to another one (threat row K9).
func (up *upstream) dial(ctx context.Context, network, address string) (net.Conn, error) {
	started := time.Now()
	c, err := up.connect(ctx, network, address)
	if err != nil {
		up.owner.metrics.connectFailed.Inc()
		return nil, &dialError{err}
	}
	up.owner.metrics.connectSeconds.Observe(time.Since(started).Seconds())
	if err := up.owner.confirm(ctx, up.entry); err != nil {
		_ = c.Close()
		return nil, &dialError{err}
	}
	if up.entry.Ctx.Err() != nil {
		_ = c.Close()
		return nil, &dialError{up.cause()}
	}
	tracked, err := up.add(c)
	if err != nil {
		_ = c.Close()
		return nil, &dialError{err}
	}
	return tracked, nil
}

// connect tries again for a bounded time while the port is refused. Nothing has been
// sent then, so that is the one failure that is safe to repeat for every request.
func (up *upstream) connect(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(up.ctx, func() { cancel(up.cause()) })()

	deadline := time.Now()
	if address == up.execd {
		deadline = deadline.Add(up.owner.patience)
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	pauses := backoff.Backoff{First: firstDialPause, Most: maxDialPause}
	for {
		c, err := dialer.DialContext(ctx, network, address)
		if err == nil || !errors.Is(err, syscall.ECONNREFUSED) || !time.Now().Before(deadline) {
			return c, err
		}
		if err := pauses.Wait(ctx); err != nil {
			return nil, err
		}
	}
}
