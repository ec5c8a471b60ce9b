package renew

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Extender does the renewal; lifecycle.Service is one.
type Extender interface {
	ExtendOnAccess(ctx context.Context, id string) (time.Time, error)
}

// Options make a Renewer. Every zero value but Extender's stands for the default
// given in its comment.
type Options struct {
	Extender Extender
	// MinInterval is the least time between two renewals of one sandbox; 60 s.
	MinInterval time.Duration
	// Queue bounds the sandboxes that wait for a worker; 8192.
	Queue int
	// Workers renew at the same time; 4.
	Workers int
	// Timeout bounds one renewal; 10 s.
	Timeout time.Duration

	Logger *slog.Logger // default: none
	// Now is the time in Unix nanoseconds; the system's clock when nil.
	Now func() int64
}

// Renewer throttles touches and renews. Its methods are safe for concurrent use. It
// is a prometheus.Collector, to be registered anew after a reload.
type Renewer struct {
	o        Options
	interval int64
	now      func() int64
	queue    chan string
	drops    drops

	ctx     context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// New makes a Renewer whose queue nobody serves until Start.
func New(o Options) (*Renewer, error) {
	if o.Extender == nil {
		return nil, errors.New("renew: Options need an Extender")
	}
	if o.MinInterval <= 0 {
		o.MinInterval = time.Minute
	}
	if o.Queue <= 0 {
		o.Queue = 8192
	}
	if o.Workers <= 0 {
		o.Workers = 4
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().UnixNano() }
	}
	ctx, stop := context.WithCancel(context.Background())
	return &Renewer{o: o, interval: int64(o.MinInterval), now: o.Now, queue: make(chan string, o.Queue), drops: newDrops(), ctx: ctx, stop: stop}, nil
}

// Start begins to serve the queue, until Close.
func (r *Renewer) Start() {
	for range r.o.Workers {
		r.workers.Go(r.work)
	}
}

// Touch notes that a request was let through to a sandbox. It takes nanoseconds, does
// not allocate and never waits. Most calls end at the first or second line.
func (r *Renewer) Touch(e *lifecycle.Entry) {
	if e.RenewExtend <= 0 {
		return
	}
	now, last := r.now(), e.LastTouch.Load()
	if now-last < r.interval && now >= last {
		return // not counted: a counter shared by all requests would cost more than this
	}
	// A clock that went back must not silence the sandbox until it has caught up, so
	// a last touch in the future counts as none.
	if e.State != lifecycle.Running {
		r.drops.notRunning.Add(1)
		return
	}
	if !e.LastTouch.CompareAndSwap(last, now) {
		return // another request of this moment won
	}
	select {
	case r.queue <- e.ID:
	default:
		// The next request may try again at once.
		e.LastTouch.CompareAndSwap(now, last)
		r.drops.queueFull.Add(1)
	}
}

// work renews what was touched. A failed renewal is not repeated here: the throttle
// stays taken, so the sandbox is tried again by the first request one interval later.
func (r *Renewer) work() {
	for {
		select {
		case id := <-r.queue:
			r.renew(r.ctx, id)
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *Renewer) renew(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	if _, err := r.o.Extender.ExtendOnAccess(ctx, id); err != nil {
		r.drops.failed.Add(1)
		r.o.Logger.Warn("renewal by access failed", "sandbox", id, "error", err)
	}
}

// Close stops the workers and renews what is still queued, as far as ctx allows.
func (r *Renewer) Close(ctx context.Context) error {
	r.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.workers.Wait()
		for ctx.Err() == nil {
			select {
			case id := <-r.queue:
				r.renew(ctx, id)
			default:
				return
			}
		}
	}()
	select {
	case <-done:
		if left := len(r.queue); left > 0 {
			r.drops.closed.Add(int64(left))
			return fmt.Errorf("renew: %d renewals were not done in time: %w", left, ctx.Err())
		}
		return nil
	case <-ctx.Done():
		r.drops.closed.Add(int64(len(r.queue)))
		return ctx.Err()
	}
}
