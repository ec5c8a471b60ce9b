package renew

import (
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Source is where an access was seen.
type Source uint8

// The sources.
const (
	Proxy   Source = iota // this process carried the request
	Queue                 // another gateway did, and said so through Redis
	sources               // their number
)

// String is the source's name in logs and metrics (contract 04 §9.7).
func (s Source) String() string {
	if s == Queue {
		return "redis_queue"
	}
	return "server_proxy"
}

// Rules are what a reload of the configuration can change.
type Rules struct {
	// Enabled lets accesses move expiries. Idle deadlines are moved in any case: a
	// sandbox in use must not be taken for an idle one.
	Enabled bool
	// MinInterval is the least time between two renewals of one sandbox.
	MinInterval time.Duration
}

// idleParts is how often a sandbox with an idle timeout is renewed within it, so that its
// deadline, which allows for two intervals unseen, is at most a tenth late.
const idleParts = 20

// Interval is the throttle of one sandbox; 0 = accesses to it move nothing.
func (r Rules) Interval(e *lifecycle.Entry) time.Duration {
	switch {
	case e.IdleTimeout > 0:
		return max(min(r.MinInterval, e.IdleTimeout/idleParts), 1)
	case r.Enabled && e.RenewExtend > 0:
		return r.MinInterval
	}
	return 0
}

// Unseen is for how long accesses after a counted one may go uncounted: one interval by
// the throttle, and one for a report that is late or lost. A gateway that does not know of
// the idle timeout reports at MinInterval.
func (r Rules) Unseen(e *lifecycle.Entry, from Source) time.Duration {
	interval := r.Interval(e)
	if from == Queue {
		return interval + max(interval, r.MinInterval)
	}
	return 2 * interval
}
