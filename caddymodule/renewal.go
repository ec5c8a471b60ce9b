package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
	"github.com/opensandbox-edge/edge/lifecycle/renew/redislist"
)

// toucher acts on accesses: a renew.Renewer where the sandboxes are ours, a
// redislist.Publisher in a gateway.
type toucher interface {
	ingress.Toucher
	prometheus.Collector
	Set(renew.Rules)
	Close(context.Context) error
}

var (
	_ toucher = (*renew.Renewer)(nil)
	_ toucher = (*redislist.Publisher)(nil)
)

// renewal counts accesses for as long as the parts are open. What a reload can change of
// [renew_intent] takes effect on the next access; its Redis keys need a restart.
type renewal struct {
	toucher // nil in a gateway without Redis

	lock    *redislist.Lock            // nil without Redis
	consume func() *redislist.Consumer // starts one; nil where there is nothing to consume

	mu       sync.Mutex
	consumer *redislist.Consumer // nil while renewal is off
}

// newRenewal is for a process that has the sandboxes. It never tells Redis of its own
// accesses, and hears of those that other gateways saw.
func newRenewal(c *config.Config, service *lifecycle.Service, log *slog.Logger) (*renewal, error) {
	r := new(renewal)
	o := renew.Options{Extender: service, Lookup: service.Directory().Lookup, Logger: log}
	redis := c.RenewIntent.Redis
	dsn, err := redisDSN(c)
	if err != nil {
		return nil, err
	}
	if redis.Enabled {
		r.lock = redislist.NewLock(dsn, redis.Concurrency)
		o.Lock, o.Workers = r.lock, redis.Concurrency
	}
	renewer, err := renew.New(o)
	if err != nil {
		return nil, errors.Join(err, r.Close(context.Background()))
	}
	renewer.Start()
	r.toucher = renewer
	if redis.Enabled {
		r.consume = func() *redislist.Consumer {
			return redislist.StartConsumer(redislist.ConsumerOptions{
				DSN: dsn, Key: redis.QueueKey, Sink: renewer, Feeders: redis.Concurrency, Logger: log,
			})
		}
	}
	return r, nil
}

// newGatewayRenewal is for a process that has no sandboxes of its own: it tells the
// lifecycle server of accesses, by way of Redis.
func newGatewayRenewal(c *config.Config, log *slog.Logger) (*renewal, error) {
	redis := c.RenewIntent.Redis
	dsn, err := redisDSN(c)
	if err != nil {
		return nil, err
	}
	if !redis.Enabled {
		log.Warn("accesses through this gateway do not keep sandboxes alive: set [renew_intent] enabled and redis.enabled, here and at the lifecycle server")
		return new(renewal), nil
	}
	return &renewal{toucher: redislist.StartPublisher(redislist.PublisherOptions{
		DSN: dsn, Key: redis.QueueKey, MaxLen: redis.QueueMaxLen, Logger: log,
	})}, nil
}

// redisDSN reads renew_intent.redis.dsn, unless Redis is not used.
func redisDSN(c *config.Config) (redislist.DSN, error) {
	if !c.RenewIntent.Redis.Enabled {
		return redislist.DSN{}, nil
	}
	dsn, err := redislist.ParseDSN(c.RenewIntent.Redis.DSN)
	if err != nil {
		err = fmt.Errorf("renew_intent.redis.dsn: %w", err)
	}
	return dsn, err
}

// Touch implements ingress.Toucher.
func (r *renewal) Touch(e *lifecycle.Entry, port uint16, path string) {
	if r.toucher != nil {
		r.toucher.Touch(e, port, path)
	}
}

// apply puts the rules of a configuration into force.
func (r *renewal) apply(c *config.Config) {
	if r.toucher == nil {
		return
	}
	r.Set(renew.Rules{Enabled: c.RenewIntent.Enabled, MinInterval: c.RenewIntent.MinInterval})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch on := c.RenewIntent.Enabled; {
	case r.consume == nil:
	case on && r.consumer == nil:
		r.consumer = r.consume()
	case !on && r.consumer != nil:
		_ = r.consumer.Close()
		r.consumer = nil
	}
}

// Collect implements prometheus.Collector.
func (r *renewal) Collect(out chan<- prometheus.Metric) {
	if r.toucher != nil {
		r.toucher.Collect(out)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.consumer != nil {
		r.consumer.Collect(out)
	}
}

// Close does the renewals that wait, or tells of them.
func (r *renewal) Close(ctx context.Context) (err error) {
	r.mu.Lock()
	if r.consumer != nil {
		err = r.consumer.Close()
		r.consumer = nil
	}
	r.consume = nil
	r.mu.Unlock()
	if r.toucher != nil {
		err = errors.Join(err, r.toucher.Close(ctx))
	}
	if r.lock != nil {
		err = errors.Join(err, r.lock.Close())
	}
	return err
}
