package snapshots

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics measure a Catalogue.
type metrics struct{ duration *prometheus.HistogramVec }

var waitingDesc = prometheus.NewDesc("opensandbox_snapshots_waiting", "Snapshots that wait for a worker.", nil, nil)

func newMetrics() *metrics {
	m := &metrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "opensandbox_snapshot_duration_seconds", Help: "Time to take a snapshot, the wait for its sandbox included, by how it ended.",
		Buckets: []float64{.1, .25, .5, 1, 2, 5, 10, 30, 60, 180, 600},
	}, []string{"state"})}
	for _, state := range []State{Ready, Failed} {
		m.duration.WithLabelValues(string(state))
	}
	return m
}

func (m *metrics) taken(took time.Duration, state State) {
	m.duration.WithLabelValues(string(state)).Observe(took.Seconds())
}

// Describe implements prometheus.Collector.
func (c *Catalogue) Describe(ch chan<- *prometheus.Desc) {
	c.metrics.duration.Describe(ch)
	ch <- waitingDesc
}

// Collect implements prometheus.Collector.
func (c *Catalogue) Collect(ch chan<- prometheus.Metric) {
	c.metrics.duration.Collect(ch)
	ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(len(c.waiting)))
}
