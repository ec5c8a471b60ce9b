package ingress

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/ingress/upstream"
)

const (
	// halfClosed is how long one direction of a WebSocket may go on after the other one
	// ended: enough for what is on its way, too short for an end that forgot about it.
	halfClosed = 5 * time.Second
	// resting is the buffer of a direction that waits. Most WebSockets do nothing else.
	resting = 1 << 10
)

// tunnel is a WebSocket after its handshake.
type tunnel struct {
	client   clientEnd
	upstream io.ReadWriteCloser

	mu   sync.Mutex
	over bool // the handler is done: the client's end is the server's again
}

// splice copies both ways until both directions have ended, or one of them broke, or the
// sandbox's generation is over. The error is nil when the sandbox ended it in order.
func (x *exchange) splice(client clientEnd, upstream io.ReadWriteCloser) error {
	t := &tunnel{client: client, upstream: upstream}
	defer t.release()
	stop := context.AfterFunc(x.entry.Ctx(), t.cut)
	defer stop()
	defer client.attend(t.cut)()
	impatience := time.AfterFunc(time.Hour, t.cut)
	impatience.Stop()
	defer impatience.Stop()

	received := make(chan struct{})
	go func() {
		defer close(received)
		if in, _ := x.carry(upstream, client, x.Metrics.received.Add); in != nil {
			t.cut() // the client broke off
			return
		}
		// The client has said all, or the sandbox listens no more. It may still speak.
		_ = closeWrite(upstream)
		impatience.Reset(halfClosed)
	}()
	in, out := x.carry(client, upstream, x.Metrics.sent.Add)
	err := errors.Join(in, out)
	switch {
	case err != nil:
		t.cut()
	case client.closeWrite() == nil:
		impatience.Reset(halfClosed)
	default:
		// A stream's answer cannot end before its handler does.
		t.release()
		_ = upstream.Close()
		client.stopReading()
	}
	<-received
	return err
}

// cut breaks both directions.
func (t *tunnel) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		_ = t.upstream.Close()
		t.client.abort()
	}
}

// release makes cuts that come too late harmless.
func (t *tunnel) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// carry copies one direction piece by piece. It tells the failures of the two ends
// apart; both are nil when src ended in order.
func (x *exchange) carry(dst io.Writer, src io.Reader, count func(float64)) (in, out error) {
	small := make([]byte, resting)
	for {
		n, err := x.carryOne(dst, src, small, count)
		for n == len(small) && err == (ends{}) {
			// There is more: as long as it fills a big buffer, that pays.
			big := upstream.NewPiece()
			n, err = x.carryOne(dst, src, big[:], count)
			full := n == len(big)
			big.Free()
			if !full {
				break
			}
			n = len(small)
		}
		switch {
		case err.in == io.EOF:
			return nil, err.out
		case err != (ends{}):
			return err.in, err.out
		}
	}
}

// ends are the failures of the source and the destination of a copy.
type ends struct{ in, out error }

func (x *exchange) carryOne(dst io.Writer, src io.Reader, buf []byte, count func(float64)) (int, ends) {
	var failed ends
	n, err := src.Read(buf)
	failed.in = err
	if n > 0 {
		_, failed.out = dst.Write(buf[:n])
		count(float64(n))
		x.touchAgain()
	}
	return n, failed
}
