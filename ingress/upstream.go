package ingress

import (
	"time"

	"github.com/opensandbox-edge/edge/ingress/upstream"
)

// Upstreams owns the connections to all sandboxes. It outlives handlers, so that a reload
// keeps connections and streams.
type Upstreams = upstream.Pools

// Core names what carries requests to sandboxes.
type Core = upstream.Core

// NewUpstreams makes empty pools; directory confirms addresses between connect and
// first byte. metrics may be nil.
func NewUpstreams(directory Directory, metrics *Metrics) *Upstreams {
	if metrics == nil {
		metrics = newMetrics()
	}
	return upstream.New(upstream.Options{Confirm: directory.Confirm, Connected: metrics.connected})
}

// errClosed is what requests get once the server is stopping.
var errClosed = upstream.ErrClosed

// connected counts an attempt to connect.
func (m *Metrics) connected(took time.Duration, err error) {
	if err != nil {
		m.connectFailed.Inc()
		return
	}
	m.connectSeconds.Observe(took.Seconds())
}
