package docker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// meter times every request to the engine on its way out. It sits below the client, so
// nothing can talk to the engine unmeasured.
type meter struct {
	base  http.RoundTripper
	calls *prometheus.HistogramVec
	log   *slog.Logger

	reachable reachable
}

func newMeter(log *slog.Logger) *meter {
	return &meter{log: log, calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "opensandbox_runtime_call_duration_seconds", Help: "Time until the container engine answered a call.",
		ConstLabels: prometheus.Labels{"runtime": "docker"},
		Buckets:     []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60, 180},
	}, []string{"call", "outcome"})}
}

// RoundTrip implements http.RoundTripper.
func (m *meter) RoundTrip(request *http.Request) (*http.Response, error) {
	start := time.Now()
	answer, err := m.base.RoundTrip(request)
	call, result, took := callName(request.Method, request.URL.Path), outcome(answer, err), time.Since(start)
	m.calls.WithLabelValues(call, result).Observe(took.Seconds())
	m.log.Debug("engine call", "call", call, "outcome", result, "took", took)
	return answer, err
}

// Metrics is what the runtime measures of its backend; register it once.
func (r *Runtime) Metrics() prometheus.Collector { return r.meter }

// Describe implements prometheus.Collector.
func (m *meter) Describe(out chan<- *prometheus.Desc) {
	m.calls.Describe(out)
	out <- reachableDesc
}

// Collect implements prometheus.Collector.
func (m *meter) Collect(out chan<- prometheus.Metric) {
	m.calls.Collect(out)
	if known := m.reachable.Load(); known != nil {
		out <- prometheus.MustNewConstMetric(reachableDesc, prometheus.GaugeValue, *known)
	}
}

var reachableDesc = prometheus.NewDesc("opensandbox_runtime_addresses_reachable",
	"1 when this server dials sandboxes at their addresses, 0 when it dials published ports; absent until that is known.", nil, prometheus.Labels{"runtime": "docker"})

// reachable is the outcome of the probe; nil until it is known.
type reachable struct{ atomic.Pointer[float64] }

func (r *reachable) set(ok bool) {
	value := 0.0
	if ok {
		value = 1
	}
	r.Store(&value)
}

func outcome(answer *http.Response, err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case err != nil:
		return "unreachable"
	case answer.StatusCode < http.StatusBadRequest:
		return "ok"
	case answer.StatusCode == http.StatusNotFound:
		return "not_found"
	case answer.StatusCode == http.StatusConflict:
		return "conflict"
	case answer.StatusCode < http.StatusInternalServerError:
		return "refused"
	}
	return "failed"
}

var enginePath = regexp.MustCompile(`^(?:.*/v[0-9.]+)?/(containers|images|volumes|networks|events|info|version|_ping)(?:/(.*))?$`)

// callName names an engine call from a fixed set: names of containers and images must
// not become label values.
func callName(method, path string) string {
	m := enginePath.FindStringSubmatch(path)
	if m == nil {
		return "other"
	}
	group := strings.TrimSuffix(strings.TrimPrefix(m[1], "_"), "s")
	if m[2] == "" {
		return group
	}
	action := m[2][strings.LastIndexByte(m[2], '/')+1:]
	switch {
	case m[2] == "json":
		action = "list"
	case action == "json":
		action = "inspect"
	case action == "archive":
		action = map[string]string{http.MethodGet: "download", http.MethodPut: "upload", http.MethodHead: "stat"}[method]
	case action == "create", action == "start", action == "pause", action == "unpause", action == "wait":
	case method == http.MethodDelete:
		action = "remove"
	default:
		action = "inspect"
	}
	return group + "_" + action
}
