package redislist

import (
	"context"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"golang.org/x/time/rate"

	"github.com/opensandbox-edge/edge/lifecycle/renew"
)

// opTimeout bounds one exchange with Redis (contract 04 §9.3).
const opTimeout = 5 * time.Second

func init() { redis.SetLogger(silent{}) }

// silent drops the library's own lines, which go to standard error; errors are returned
// as well and logged here.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// connect makes a client; nothing is dialled yet.
func connect(d DSN, connections int) *redis.Client {
	o := *d.options
	o.Protocol = 2 // what every server speaks, and nothing that it sends unasked
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = opTimeout, opTimeout, opTimeout
	o.ContextTimeoutEnabled = true
	// Who waits between attempts is whoever knows what waits behind them.
	o.MaxRetries, o.DialerRetries = -1, 1
	o.PoolSize = connections
	dial := redis.NewDialer(&o)
	o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return bounded(c), nil
	}
	return redis.NewClient(&o)
}

// health remembers whether Redis answers, and tells when that changes.
type health struct {
	log  *slog.Logger
	role string
	up   atomic.Bool
	// Redis that is away is told of once in a while.
	errors rate.Sometimes
	gauge  prometheus.GaugeFunc
}

func newHealth(l *slog.Logger, role string) *health {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	h := &health{log: l, role: role, errors: rate.Sometimes{Interval: time.Minute}}
	h.gauge = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "opensandbox_renew_redis_up", Help: "1 while Redis answers.", ConstLabels: prometheus.Labels{"role": role},
	}, func() float64 {
		if h.up.Load() {
			return 1
		}
		return 0
	})
	return h
}

// well notes an answer.
func (h *health) well() {
	if !h.up.Load() && h.up.CompareAndSwap(false, true) {
		renew.Report(h.log, slog.LevelInfo, "redis_connected", "role", h.role)
	}
}

// ill notes a failure.
func (h *health) ill(err error) {
	tell := func() {
		renew.Report(h.log, slog.LevelWarn, "worker_redis_error", "role", h.role, "error", err,
			"note", "trying again; told once a minute")
	}
	if h.up.CompareAndSwap(true, false) {
		tell()
		return
	}
	h.errors.Do(tell)
}
