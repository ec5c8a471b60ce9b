package upstream

import (
	"context"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Bounds of connections to sandboxes. How long a sandbox may take to begin its answer is
// not bounded: that is the client's business.
const (
	dialTimeout = 10 * time.Second
	// stallTimeout is how long a sandbox may leave what it is sent untaken, while more
	// waits to be sent; it is what clients have, too (threat row X1).
	stallTimeout = 5 * time.Minute
	// execdPatience is how long a refused connection to execd is tried again: a sandbox
	// that just started or resumed may need a moment. Other ports are answered at once.
	execdPatience  = 500 * time.Millisecond
	maxIdlePerPort = 64
	maxIdle        = 256 // of one sandbox
	idleTimeout    = 60 * time.Second
)

// Options configure Pools.
type Options struct {
	// Confirm says, between connect and first byte, whether an entry may still be used
	// (threat row K9). Required.
	Confirm func(context.Context, *lifecycle.Entry) error
	// Connected is told of every attempt to connect; nil = nobody is.
	Connected func(took time.Duration, err error)
	// ExecdPatience is how long a refused connection to execd is tried again; 0 = 500 ms.
	ExecdPatience time.Duration
}

// Pools owns the connections to all sandboxes, pooled per generation: an address that
// was reused by another sandbox never gets a connection or a request of the former one.
// It outlives handlers, so that a reload keeps connections and streams.
// It is safe for concurrent use.
type Pools struct {
	options Options

	generations sync.Map // uint64 → *pool
	closed      context.Context
	close       context.CancelFunc
	opening     sync.Mutex // orders a new pool before or after Close
	ending      sync.WaitGroup
}

// New makes empty pools.
func New(o Options) *Pools {
	if o.Connected == nil {
		o.Connected = func(time.Duration, error) {}
	}
	if o.ExecdPatience == 0 {
		o.ExecdPatience = execdPatience
	}
	p := &Pools{options: o}
	p.closed, p.close = context.WithCancel(context.Background())
	return p
}

// Close cuts every connection and stream and waits until they are closed.
func (p *Pools) Close() {
	p.opening.Lock()
	p.close()
	p.opening.Unlock()
	p.ending.Wait()
}

// of returns the pool of the entry's generation.
func (p *Pools) of(e *lifecycle.Entry) (*pool, error) {
	if v, ok := p.generations.Load(e.Generation); ok {
		return v.(*pool), nil
	}
	p.opening.Lock()
	defer p.opening.Unlock()
	if err := e.Ended(); err != nil {
		return nil, &DialError{err}
	}
	if p.closed.Err() != nil {
		return nil, &DialError{ErrClosed}
	}
	if v, ok := p.generations.Load(e.Generation); ok {
		return v.(*pool), nil // another request was quicker
	}
	// The pool ends with its generation, or with us. Whichever comes first, even
	// while it is being made, the goroutine below runs once.
	ctx, cancel := context.WithCancel(e.Ctx())
	stop := context.AfterFunc(p.closed, cancel)
	fresh := newPool(p, e, ctx)
	p.generations.Store(e.Generation, fresh)
	p.ending.Add(1)
	context.AfterFunc(ctx, func() {
		defer p.ending.Done()
		stop()
		cancel()
		p.generations.Delete(e.Generation)
		fresh.end()
	})
	return fresh, nil
}
