package pools

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// How claims were answered; a label.
const (
	claimHit       = "pool"
	claimCold      = "cold"
	claimExhausted = "exhausted"
)

// How refills ended; a label.
const (
	refillOK     = "ok"
	refillFailed = "failed"
)

// metrics measure a Set. No label names a pool: clients choose these names.
type metrics struct {
	claims  *prometheus.CounterVec
	refills *prometheus.HistogramVec
}

var (
	poolsDesc   = prometheus.NewDesc("opensandbox_pools", "Warm pools.", nil, nil)
	membersDesc = prometheus.NewDesc("opensandbox_pool_members", "Sandboxes of all pools by state.", []string{"state"}, nil)
)

func newMetrics() *metrics {
	m := &metrics{
		claims: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "opensandbox_pool_claims_total", Help: "Places asked of pools, by the path that followed: a member, one made for the claim, or a refusal.",
		}, []string{"path"}),
		refills: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "opensandbox_pool_refill_duration_seconds", Help: "Time to make a member of a pool in the background.",
			Buckets: []float64{.1, .25, .5, 1, 2, 5, 10, 20, 60, 180},
		}, []string{"outcome"}),
	}
	for _, path := range []string{claimHit, claimCold, claimExhausted} {
		m.claims.WithLabelValues(path)
	}
	for _, outcome := range []string{refillOK, refillFailed} {
		m.refills.WithLabelValues(outcome)
	}
	return m
}

func (m *metrics) claim(path string) { m.claims.WithLabelValues(path).Inc() }

func (m *metrics) refilled(took time.Duration, err error) {
	outcome := refillOK
	if err != nil {
		outcome = refillFailed
	}
	m.refills.WithLabelValues(outcome).Observe(took.Seconds())
}

// Describe implements prometheus.Collector.
func (s *Set) Describe(ch chan<- *prometheus.Desc) {
	s.metrics.claims.Describe(ch)
	s.metrics.refills.Describe(ch)
	ch <- poolsDesc
	ch <- membersDesc
}

// Collect implements prometheus.Collector.
func (s *Set) Collect(ch chan<- prometheus.Metric) {
	s.metrics.claims.Collect(ch)
	s.metrics.refills.Collect(ch)
	s.mu.Lock()
	number, by := len(s.pools), map[state]int{}
	for _, m := range s.members {
		by[m.state]++
	}
	s.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(poolsDesc, prometheus.GaugeValue, float64(number))
	for of, name := range map[state]string{making: "making", idle: "idle", claimed: "claimed", leaving: "leaving"} {
		ch <- prometheus.MustNewConstMetric(membersDesc, prometheus.GaugeValue, float64(by[of]), name)
	}
}
