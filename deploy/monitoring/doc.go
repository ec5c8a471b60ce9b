// Package monitoring holds alert rules for Prometheus and a dashboard for Grafana. There
// is no code in it; its test keeps both to the metrics that exist.
package monitoring
