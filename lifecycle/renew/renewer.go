package renew

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Extender does the renewal; lifecycle.Service is one.
type Extender interface {
	ExtendOnAccess(ctx context.Context, id string, a lifecycle.Access) (lifecycle.Extension, error)
}

// Lock lets one of several servers that know a sandbox renew it per interval.
type Lock interface {
	// Take tells whether the interval that begins now is ours. After an error it is.
	Take(ctx context.Context, id string, interval time.Duration) (bool, error)
}

// Options make a Renewer. Every zero value but Extender's stands for the default
// given in its comment.
type Options struct {
	Extender Extender
	// Lookup finds the sandboxes that Accept is told of; none is known without it.
	Lookup func(id string) (*lifecycle.Entry, bool)
	// Lock is asked before a renewal; nil = there is no other server.
	Lock Lock
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
// is a prometheus.Collector.
type Renewer struct {
	o     Options
	rules atomic.Pointer[Rules]
	now   func() int64
	queue *queue
	tally tally
	log   log

	ctx     context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// New makes a Renewer whose queue nobody serves until Start. Until Set it renews idle
// deadlines alone.
func New(o Options) (*Renewer, error) {
	if o.Extender == nil {
		return nil, errors.New("renew: Options need an Extender")
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
	if o.Now == nil {
		o.Now = func() int64 { return time.Now().UnixNano() }
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &Renewer{o: o, now: o.Now, queue: newQueue(o.Queue), tally: newTally(), log: newLog(o.Logger), ctx: ctx, stop: stop}
	r.Set(Rules{})
	return r, nil
}

// Set changes the rules for the touches from now on. A MinInterval that is not positive
// stands for 60 s.
func (r *Renewer) Set(rules Rules) {
	if rules.MinInterval <= 0 {
		rules.MinInterval = time.Minute
	}
	r.rules.Store(&rules)
}

// Start begins to serve the queue, until Close.
func (r *Renewer) Start() {
	for range r.o.Workers {
		r.workers.Go(r.work)
	}
}

// Touch implements ingress.Toucher: a request was let through to a sandbox, or its stream
// goes on. It takes nanoseconds, does not allocate and never waits.
func (r *Renewer) Touch(e *lifecycle.Entry, _ uint16, _ string) {
	if e.RenewExtend <= 0 && e.IdleTimeout <= 0 {
		return
	}
	// A touch within the interval is not counted: a counter shared by all requests would
	// cost more than the rest of this.
	if got := r.offer(access{e, Proxy}); got != throttled && got != notOptedIn {
		r.tally.observed[Proxy].Inc()
		r.count(Proxy, got)
	}
}

// Accept is Touch for an access that another gateway saw. Nothing but memory is asked
// about ids that are unknown or did not opt in (threat row X6).
func (r *Renewer) Accept(id string) {
	r.tally.observed[Queue].Inc()
	got := unknown
	if r.o.Lookup != nil {
		if e, known := r.o.Lookup(id); known {
			got = r.offer(access{e, Queue})
		}
	}
	r.count(Queue, got)
	r.log.dropped(got, id)
}

// Refuse counts an access that another gateway claims and that is not believed; id is the
// sandbox it names, "" = none.
func (r *Renewer) Refuse(why Refusal, id string) {
	r.tally.observed[Queue].Inc()
	r.count(Queue, outcome(why))
	r.log.dropped(outcome(why), id)
}

func (r *Renewer) count(from Source, got outcome) {
	if got != queued {
		r.tally.outcomes[from][got].Inc()
	}
}

// offer queues an access that is due.
func (r *Renewer) offer(a access) outcome {
	e := a.entry
	interval := int64(r.rules.Load().Interval(e))
	if interval == 0 {
		return notOptedIn
	}
	now, last := r.now(), e.LastTouch.Load()
	// A clock that went back must not silence the sandbox until it has caught up, so
	// a last touch in the future counts as none.
	if now-last < interval && now >= last {
		return throttled
	}
	if e.State != lifecycle.Running {
		return notRunning
	}
	if !e.LastTouch.CompareAndSwap(last, now) {
		return throttled // another request of this moment won
	}
	got := r.queue.push(a)
	if got == queueFull || got == closed {
		// The next request may try again at once.
		e.LastTouch.CompareAndSwap(now, last)
	}
	return got
}

// work renews what was touched. A failed renewal is not repeated here: the throttle
// stays taken, so the sandbox is tried again by the first request one interval later.
func (r *Renewer) work() {
	for {
		select {
		case a := <-r.queue.items:
			r.renew(r.ctx, a)
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *Renewer) renew(ctx context.Context, a access) {
	r.queue.taken(a)
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	rules, id := r.rules.Load(), a.entry.ID
	if r.o.Lock != nil {
		ours, err := r.o.Lock.Take(ctx, id, rules.Interval(a.entry))
		if err != nil {
			r.log.lockFailed(id, err)
		} else if !ours {
			r.count(a.source, elsewhere)
			return
		}
	}
	x, err := r.o.Extender.ExtendOnAccess(ctx, id, lifecycle.Access{
		Extend: rules.Enabled, Unseen: rules.Unseen(a.entry, a.source),
	})
	r.count(a.source, outcomeOf(x, err))
	r.log.done(a, x, err)
}

// Close stops the workers and renews what is still queued, as far as ctx allows.
func (r *Renewer) Close(ctx context.Context) error {
	r.queue.close()
	r.stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.workers.Wait()
		for ctx.Err() == nil {
			select {
			case a := <-r.queue.items:
				r.renew(ctx, a)
			default:
				return
			}
		}
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	if left := len(r.queue.items); left > 0 {
		r.tally.outcomes[Proxy][closed].Add(float64(left))
		return fmt.Errorf("renew: %d renewals were not done in time: %w", left, ctx.Err())
	}
	return ctx.Err()
}
