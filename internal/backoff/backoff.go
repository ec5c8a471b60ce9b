package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is a series of pauses that begins with First and doubles up to Most. It is
// for one goroutine.
type Backoff struct {
	First, Most time.Duration
	// Spread draws each pause from its upper half, so that many who failed together do
	// not come back together.
	Spread bool

	next time.Duration
}

// Next returns the next pause.
func (b *Backoff) Next() time.Duration {
	pause := max(b.next, b.First)
	b.next = min(2*pause, b.Most)
	if b.Spread && pause > 1 {
		pause = pause/2 + rand.N(pause/2)
	}
	return pause
}

// Reset begins the series again.
func (b *Backoff) Reset() { b.next = 0 }

// Wait lets the next pause go by. Its error is the cause with which ctx ended first.
func (b *Backoff) Wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(b.Next())
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
