package redislist

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/opensandbox-edge/edge/internal/backoff"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
	"github.com/opensandbox-edge/edge/lifecycle/renew/intent"
)

// maxPath bounds the paths that wait in the queue; longer ones are not told.
const maxPath = 1 << 10

// PublisherOptions make a Publisher. DSN and Key are required.
type PublisherOptions struct {
	DSN    DSN
	Key    string // of the list
	MaxLen int    // elements that stay in the list, the newest; 0 = all
	// Queue bounds the accesses that wait to be sent; 8192.
	Queue int
	// Workers send at the same time; 4.
	Workers int
	Logger  *slog.Logger     // default: none
	Now     func() time.Time // default: the system's clock
}

// Publisher tells lifecycle servers of the accesses to sandboxes that opted in: at most
// one per sandbox and interval. It is an ingress.Toucher and a prometheus.Collector.
type Publisher struct {
	o       PublisherOptions
	client  *redis.Client
	health  *health
	rules   atomic.Pointer[renew.Rules]
	items   chan intent.Intent
	results *prometheus.CounterVec
	dropped prometheus.Counter

	closing sync.RWMutex // held for reading past the throttle
	closed  bool
	ctx     context.Context
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// StartPublisher makes a Publisher that sends what it is told, until Close. It publishes
// nothing until Set.
func StartPublisher(o PublisherOptions) *Publisher {
	if o.Queue <= 0 {
		o.Queue = 8192
	}
	if o.Workers <= 0 {
		o.Workers = 4
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Publisher{
		o: o, client: connect(o.DSN, o.Workers), health: newHealth(o.Logger, "publisher"),
		items: make(chan intent.Intent, o.Queue), ctx: ctx, stop: stop,
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "opensandbox_renew_published_total", Help: "Accesses to be told to lifecycle servers, by what became of them.",
		}, []string{"outcome"}),
	}
	p.dropped = p.results.WithLabelValues("queue_full")
	for _, other := range []string{"sent", "failed", "stale", "closed"} {
		p.results.WithLabelValues(other)
	}
	p.Set(renew.Rules{})
	for range o.Workers {
		p.workers.Go(p.work)
	}
	return p
}

// Set changes the rules for the touches from now on. Unlike in a lifecycle server nothing
// at all is done while they are not enabled.
func (p *Publisher) Set(rules renew.Rules) { p.rules.Store(&rules) }

// Touch implements ingress.Toucher. It takes nanoseconds, and never waits.
func (p *Publisher) Touch(e *lifecycle.Entry, port uint16, path string) {
	rules := p.rules.Load()
	interval := int64(rules.Interval(e))
	if !rules.Enabled || interval == 0 {
		return
	}
	at := p.o.Now()
	now, last := at.UnixNano(), e.LastTouch.Load()
	if now-last < interval && now >= last || e.State != lifecycle.Running {
		return
	}
	if !e.LastTouch.CompareAndSwap(last, now) {
		return // another request of this moment won
	}
	if len(path) > maxPath {
		path = ""
	}
	// The path is a part of the request's memory, which must not wait with it.
	i := intent.Intent{SandboxID: e.ID, ObservedAt: at, Port: port, RequestURI: strings.Clone(path)}
	p.closing.RLock()
	defer p.closing.RUnlock()
	if !p.closed {
		select {
		case p.items <- i:
			return
		default:
		}
	}
	p.dropped.Inc()
	e.LastTouch.CompareAndSwap(now, last) // the next request may try again at once
}

// work sends what was touched. A failure is not repeated: the sandbox is told of again
// one interval later. Until Redis answers again the queue fills, and then overflows.
func (p *Publisher) work() {
	pause := backoff.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second, Spread: true}
	for i := range p.items {
		if i.Fresh(p.o.Now()) != nil {
			p.results.WithLabelValues("stale").Inc()
			continue
		}
		err := p.send(i)
		if err == nil {
			p.results.WithLabelValues("sent").Inc()
			p.health.well()
			pause.Reset()
			continue
		}
		p.results.WithLabelValues("failed").Inc()
		p.health.ill(err)
		if pause.Wait(p.ctx) != nil {
			p.results.WithLabelValues("closed").Add(float64(len(p.items)))
			return
		}
	}
}

// send pushes one element; the length is cut in the same round trip.
func (p *Publisher) send(i intent.Intent) error {
	element, err := intent.Encode(i)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, opTimeout)
	defer cancel()
	return guarded(func() error {
		_, err := p.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			pipe.LPush(ctx, p.o.Key, element)
			if p.o.MaxLen > 0 {
				pipe.LTrim(ctx, p.o.Key, 0, int64(p.o.MaxLen)-1)
			}
			return nil
		})
		return err
	})
}

// flushFor is how long what waits may take to be sent in the end.
const flushFor = 3 * time.Second

// Close sends what waits, as far as ctx, Redis and a few seconds allow.
func (p *Publisher) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushFor)
	defer cancel()
	p.closing.Lock()
	if !p.closed {
		p.closed = true
		close(p.items)
	}
	p.closing.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); p.workers.Wait() }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	p.stop()
	err := p.client.Close() // ends what is being sent
	<-done
	return err
}

var _ prometheus.Collector = (*Publisher)(nil)

// Describe implements prometheus.Collector.
func (p *Publisher) Describe(ch chan<- *prometheus.Desc) {
	p.results.Describe(ch)
	p.health.gauge.Describe(ch)
}

// Collect implements prometheus.Collector.
func (p *Publisher) Collect(ch chan<- prometheus.Metric) {
	p.results.Collect(ch)
	p.health.gauge.Collect(ch)
}
