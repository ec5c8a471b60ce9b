package api

import (
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/opensandbox-edge/edge/apierror"
)

// limiter bounds the API requests in flight (contract 07 §8). Health and sandbox
// traffic are not counted, so probes get through an overloaded API.
type limiter struct {
	limit    int64 // 0 = none
	inFlight atomic.Int64
	rejected atomic.Uint64
	burst    atomic.Bool // a warning was logged and the load has not eased since
}

// acquire takes a place; release gives it back.
func (l *limiter) acquire(log *slog.Logger) (release func(), err error) {
	if n := l.inFlight.Add(1); l.limit > 0 && n > l.limit {
		l.inFlight.Add(-1)
		l.rejected.Add(1)
		if l.burst.CompareAndSwap(false, true) {
			log.Warn("API requests are being rejected: server.limit_concurrency is reached", "limit", l.limit)
		}
		return nil, apierror.New(http.StatusServiceUnavailable, "GENERAL::SERVER_OVERLOADED",
			"The server is handling as many API requests as it is configured to; try again shortly.").Retry(1)
	}
	return func() {
		// The burst is over when half of the places are free again.
		if l.inFlight.Add(-1) <= l.limit/2 {
			l.burst.Store(false)
		}
	}, nil
}

// InFlight returns how many API requests are being served, for metrics.
func (h *Handler) InFlight() int64 { return h.limiter.inFlight.Load() }

// Rejected returns how many API requests were turned away for load, for metrics.
func (h *Handler) Rejected() uint64 { return h.limiter.rejected.Load() }
