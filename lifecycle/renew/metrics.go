package renew

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// drops counts touches past the throttle that led to no renewal, by reason.
type drops struct {
	notRunning, queueFull, failed, closed atomic.Int64

	total, queued *prometheus.Desc
}

func newDrops() drops {
	return drops{
		total:  prometheus.NewDesc("opensandbox_renewals_dropped_total", "Due renewals of opted-in sandboxes that were not done, by reason.", []string{"reason"}, nil),
		queued: prometheus.NewDesc("opensandbox_renew_queue_length", "Sandboxes that wait for their renewal.", nil, nil),
	}
}

var _ prometheus.Collector = (*Renewer)(nil)

// Describe implements prometheus.Collector.
func (r *Renewer) Describe(ch chan<- *prometheus.Desc) {
	ch <- r.drops.total
	ch <- r.drops.queued
}

// Collect implements prometheus.Collector.
func (r *Renewer) Collect(ch chan<- prometheus.Metric) {
	d := &r.drops
	for reason, n := range map[string]*atomic.Int64{
		"not_running": &d.notRunning, "queue_full": &d.queueFull, "failed": &d.failed, "closed": &d.closed,
	} {
		ch <- prometheus.MustNewConstMetric(d.total, prometheus.CounterValue, float64(n.Load()), reason)
	}
	ch <- prometheus.MustNewConstMetric(d.queued, prometheus.GaugeValue, float64(len(r.queue)))
}
