package caddymodule

import "github.com/prometheus/client_golang/prometheus"

// apiLoad reports how busy the lifecycle API is. Its handler is made anew with every
// configuration; what earlier ones rejected is carried over.
type apiLoad struct{ state *state }

var (
	apiInFlight = prometheus.NewDesc("opensandbox_api_requests_in_flight",
		"Lifecycle API requests being served, against server.limit_concurrency.", nil, nil)
	apiRejected = prometheus.NewDesc("opensandbox_api_requests_rejected_total",
		"Lifecycle API requests answered with 503 because server.limit_concurrency was reached.", nil, nil)
)

// Describe implements prometheus.Collector.
func (apiLoad) Describe(descs chan<- *prometheus.Desc) {
	descs <- apiInFlight
	descs <- apiRejected
}

// Collect implements prometheus.Collector.
func (l apiLoad) Collect(metrics chan<- prometheus.Metric) {
	e := l.state.edge()
	if e == nil {
		return
	}
	metrics <- prometheus.MustNewConstMetric(apiInFlight, prometheus.GaugeValue, float64(e.api.InFlight()))
	metrics <- prometheus.MustNewConstMetric(apiRejected, prometheus.CounterValue, float64(e.rejectedBefore+e.api.Rejected()))
}
