package redislist

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/opensandbox-edge/edge/internal/backoff"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
	"github.com/opensandbox-edge/edge/lifecycle/renew/intent"
)

// blockFor is how long one pop waits for an element.
const blockFor = 5 * time.Second

// Sink takes what was consumed; renew.Renewer is one. It must not block.
type Sink interface {
	Accept(id string)
	Refuse(why renew.Refusal, id string)
}

// ConsumerOptions make a Consumer. DSN, Key and Sink are required.
type ConsumerOptions struct {
	DSN  DSN
	Key  string // of the list
	Sink Sink
	// Feeders pop at the same time; 8.
	Feeders int
	Logger  *slog.Logger     // default: none
	Now     func() time.Time // default: the system's clock
}

// Consumer reads accesses that other gateways saw, until Close. While Redis is away it
// tries again for ever, more and more slowly.
type Consumer struct {
	o       ConsumerOptions
	client  *redis.Client
	health  *health
	ctx     context.Context
	stop    context.CancelFunc
	feeders sync.WaitGroup
}

// StartConsumer begins to consume.
func StartConsumer(o ConsumerOptions) *Consumer {
	if o.Feeders <= 0 {
		o.Feeders = 8
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Consumer{o: o, client: connect(o.DSN, o.Feeders), health: newHealth(o.Logger, "consumer"), ctx: ctx, stop: stop}
	renew.Report(c.health.log, slog.LevelInfo, "workers_started", "renew_queue_key", o.Key, "renew_consumer_concurrency", o.Feeders)
	for range o.Feeders {
		c.feeders.Go(c.feed)
	}
	return c
}

// Close stops consuming. What is in the list stays there.
func (c *Consumer) Close() error {
	c.stop()
	err := c.client.Close() // ends the pops that wait
	c.feeders.Wait()
	return err
}

func (c *Consumer) feed() {
	pause := backoff.Backoff{First: 100 * time.Millisecond, Most: 10 * time.Second, Spread: true}
	for c.ctx.Err() == nil {
		popped, err := c.pop()
		switch {
		case c.ctx.Err() != nil && err != nil:
			return
		case err == nil, errors.Is(err, redis.Nil):
			c.health.well()
			pause.Reset()
			if err == nil {
				c.take(popped)
			}
		default:
			if errors.Is(err, errReplyTooLarge) || errors.Is(err, errClient) {
				// The element is out of the list, and the connection is gone with it.
				c.o.Sink.Refuse(renew.Malformed, "")
			}
			c.health.ill(err)
			if pause.Wait(c.ctx) != nil {
				return
			}
		}
	}
}

// pop waits for an element.
func (c *Consumer) pop() (element string, err error) {
	err = guarded(func() error {
		popped, err := c.client.BRPop(c.ctx, blockFor, c.o.Key).Result()
		if err != nil {
			return err
		}
		if len(popped) != 2 { // the list's key, and what was in it
			return errReplyMalformed
		}
		element = popped[1]
		return nil
	})
	return element, err
}

func (c *Consumer) take(element string) {
	i, err := intent.Decode(element)
	if err == nil {
		err = i.Fresh(c.o.Now())
	}
	switch {
	case err == nil:
		c.o.Sink.Accept(i.SandboxID)
	case errors.Is(err, intent.ErrStale):
		c.o.Sink.Refuse(renew.Stale, i.SandboxID)
	case errors.Is(err, intent.ErrFuture):
		c.o.Sink.Refuse(renew.Future, i.SandboxID)
	default:
		c.o.Sink.Refuse(renew.Malformed, "")
	}
}

var _ prometheus.Collector = (*Consumer)(nil)

// Describe implements prometheus.Collector.
func (c *Consumer) Describe(ch chan<- *prometheus.Desc) { c.health.gauge.Describe(ch) }

// Collect implements prometheus.Collector.
func (c *Consumer) Collect(ch chan<- prometheus.Metric) { c.health.gauge.Collect(ch) }
