package feed

import "github.com/prometheus/client_golang/prometheus"

// metrics are a client's.
type metrics struct {
	connects *prometheus.CounterVec
	confirms *prometheus.CounterVec
	refused  prometheus.Counter
	age      *prometheus.Desc
	entries  *prometheus.Desc
}

func newMetrics() *metrics {
	const ns, sub = "opensandbox", "feed"
	vec := func(name, help string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help}, []string{"outcome"})
	}
	m := &metrics{
		connects: vec("connects_total", "Attempts to follow the lifecycle server: ok, refused by it, failed."),
		confirms: vec("confirms_total", "Addresses confirmed one by one while the feed was down: same, changed, gone, failed."),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "refused_entries_total", Help: "Entries of the feed that were malformed or named an address no route may reach.",
		}),
		age:     prometheus.NewDesc("opensandbox_feed_age_seconds", "Age of the last word of the lifecycle server.", nil, nil),
		entries: prometheus.NewDesc("opensandbox_feed_entries", "Sandboxes known from the lifecycle server.", nil, nil),
	}
	for _, outcome := range []string{"ok", "refused", "failed"} {
		m.connects.WithLabelValues(outcome)
	}
	return m
}

var _ prometheus.Collector = (*Client)(nil)

// Describe implements prometheus.Collector.
func (c *Client) Describe(ch chan<- *prometheus.Desc) {
	c.metrics.connects.Describe(ch)
	c.metrics.confirms.Describe(ch)
	c.metrics.refused.Describe(ch)
	ch <- c.metrics.age
	ch <- c.metrics.entries
}

// Collect implements prometheus.Collector.
func (c *Client) Collect(ch chan<- prometheus.Metric) {
	c.metrics.connects.Collect(ch)
	c.metrics.confirms.Collect(ch)
	c.metrics.refused.Collect(ch)
	if c.synced.Load() {
		ch <- prometheus.MustNewConstMetric(c.metrics.age, prometheus.GaugeValue, c.age().Seconds())
	}
	ch <- prometheus.MustNewConstMetric(c.metrics.entries, prometheus.GaugeValue, float64(c.directory.Len()))
}
