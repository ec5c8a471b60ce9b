package caddymodule

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/opensandbox-edge/edge/caddymodule/listener"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/internal/version"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// metrics are those of the long-lived state. They are made with it, once: opening the
// backend again after a failure goes on counting, and so do reloads. Caddy makes a new
// registry for every configuration, which collects from this one.
type metrics struct {
	*prometheus.Registry
	lifecycle *lifecycle.Metrics
	traffic   *ingress.Metrics
}

func newMetrics(s *state) (*metrics, error) {
	m := &metrics{Registry: prometheus.NewRegistry()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "opensandbox_build_info", Help: "1, labelled with the version of the server.",
		ConstLabels: prometheus.Labels{"version": version.Version},
	})
	build.Set(1)
	m.MustRegister(build, openedMetrics{s}, listener.Metrics{})
	m.lifecycle = lifecycle.NewMetrics(m)
	var err error
	m.traffic, err = ingress.NewMetrics(m)
	return m, err
}

// measured is a runtime that measures its calls to the backend.
type measured interface {
	Metrics() prometheus.Collector
}

// openedMetrics collects from the parts of the state that come and go.
type openedMetrics struct{ state *state }

var (
	apiInFlight = prometheus.NewDesc("opensandbox_api_requests_in_flight",
		"Lifecycle API requests being served, against server.limit_concurrency.", nil, nil)
	apiRejected = prometheus.NewDesc("opensandbox_api_requests_rejected_total",
		"Lifecycle API requests answered with 503 because server.limit_concurrency was reached.", nil, nil)
)

// Describe implements prometheus.Collector. It sends nothing, which makes the collector
// unchecked: which runtime will be there is not known yet.
func (openedMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (o openedMetrics) Collect(out chan<- prometheus.Metric) {
	e := o.state.edge()
	if e == nil {
		return
	}
	// The API's handler is made anew with every configuration; what earlier ones rejected
	// is carried over.
	out <- prometheus.MustNewConstMetric(apiInFlight, prometheus.GaugeValue, float64(e.api.InFlight()))
	out <- prometheus.MustNewConstMetric(apiRejected, prometheus.CounterValue, float64(e.rejectedBefore+e.api.Rejected()))
	e.parts.renewal.Collect(out)
	e.parts.source.collect(out)
}

// currentMetrics forwards to the state that is open when metrics are read.
type currentMetrics struct{ app *App }

// Describe implements prometheus.Collector; see openedMetrics.
func (currentMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c currentMetrics) Collect(out chan<- prometheus.Metric) {
	if s := c.app.state(); s != nil {
		s.metrics.Collect(out)
	}
}
