package listener

import "github.com/prometheus/client_golang/prometheus"

// Metrics collects what is open and what was refused, over all sockets of this network.
type Metrics struct{}

var (
	openDesc = prometheus.NewDesc("opensandbox_connections_open",
		"Client connections that are open, against server.max_connections.", nil, nil)
	limitDesc = prometheus.NewDesc("opensandbox_connections_limit",
		"Client connections that may be open at once; a part of it is kept for the API.", nil, nil)
	refusedDesc = prometheus.NewDesc("opensandbox_connections_refused_total",
		"Client connections closed at once, by limit: of one client, or of the server.", []string{"reason"}, nil)
	shedDesc = prometheus.NewDesc("opensandbox_connections_shed_total",
		"Client connections without a request closed because connections were scarce.", nil, nil)
)

// Describe implements prometheus.Collector.
func (Metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{openDesc, limitDesc, refusedDesc, shedDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (Metrics) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(open.size.Load()))
	if b := open.bounds.Load(); b != nil {
		out <- prometheus.MustNewConstMetric(limitDesc, prometheus.GaugeValue, float64(b.Total))
	}
	for reason, name := range [reasons]string{overClient: "client", overTotal: "server"} {
		out <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(open.refused[reason].Load()), name)
	}
	out <- prometheus.MustNewConstMetric(shedDesc, prometheus.CounterValue, float64(open.shed.Load()))
}
