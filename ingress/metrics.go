package ingress

import (
	"cmp"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/opensandbox-edge/edge/ingress/access"
	"github.com/opensandbox-edge/edge/ingress/route"
)

const (
	formCount  = int(route.FormHeader) + 1
	classCount = 6 // 1xx … 5xx, and "none" when no answer was sent
)

// Metrics counts proxied traffic. No label names a sandbox, a port or a path. It may be
// registered with several registries, one after the other: a server that makes a
// registry per configuration keeps its counts.
type Metrics struct {
	requests  [formCount][classCount]prometheus.Counter
	durations [formCount]prometheus.Observer
	inFlight  prometheus.Gauge

	connectSeconds prometheus.Histogram
	connectFailed  prometheus.Counter
	received, sent prometheus.Counter
	aborted        prometheus.Counter

	refused [access.Answers]prometheus.Counter // nil for answers that grant

	rejected map[rejection]prometheus.Counter

	waiting prometheus.Gauge
	waits   *prometheus.CounterVec

	collectors []prometheus.Collector
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := newMetrics()
	return m, m.Register(reg)
}

// Register adds the metrics to a registry; being there already is no error.
func (m *Metrics) Register(reg prometheus.Registerer) error {
	for _, c := range m.collectors {
		var there prometheus.AlreadyRegisteredError
		if err := reg.Register(c); err != nil && !errors.As(err, &there) {
			return err
		}
	}
	return nil
}

func newMetrics() *Metrics {
	const ns, sub = "opensandbox", "proxy"
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: ns, Subsystem: sub, Name: "requests_total",
		Help: "Requests into sandboxes by route form and status class.",
	}, []string{"form", "class"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: ns, Subsystem: sub, Name: "request_duration_seconds",
		Help:    "Time from the first byte of a request into a sandbox to the last of its answer, streams included.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60, 600},
	}, []string{"form"})
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: ns, Subsystem: sub, Name: name, Help: help})
	}
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: ns, Subsystem: sub, Name: "bytes_total",
		Help: "Body and WebSocket bytes carried: received from clients, sent to clients.",
	}, []string{"direction"})
	m := &Metrics{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Subsystem: sub, Name: "requests_in_flight", Help: "Requests into sandboxes right now, streams included.",
		}),
		connectSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: ns, Subsystem: sub, Name: "upstream_connect_seconds",
			Help:    "Time to a new connection to a sandbox, retries of a refused port included.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .05, .1, .5, 1, 5, 10},
		}),
		connectFailed: counter("upstream_connect_failures_total", "Connections to sandboxes that were not made."),
		received:      bytes.WithLabelValues("received"),
		sent:          bytes.WithLabelValues("sent"),
		aborted:       counter("aborted_total", "Answers cut short because the sandbox or the client went away."),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: ns, Subsystem: sub, Name: "waiting", Help: "Requests that wait for their sandbox to be ready.",
		}),
		waits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: ns, Subsystem: sub, Name: "waits_total",
			Help: "Requests that wanted to wait for their sandbox to be ready, by outcome.",
		}, []string{"outcome"}),
	}
	rejected := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: ns, Subsystem: sub, Name: "rejected_total",
		Help: "Requests into sandboxes answered with 503 because a limit was reached, by limit.",
	}, []string{"reason"})
	m.rejected = map[rejection]prometheus.Counter{}
	for _, reason := range []rejection{rejectedSandboxFull, rejectedServerFull} {
		m.rejected[reason] = rejected.WithLabelValues(string(reason))
	}
	for form := range formCount {
		name := cmp.Or(route.Form(form).String(), "none")
		m.durations[form] = durations.WithLabelValues(name)
		for class := range classCount {
			m.requests[form][class] = requests.WithLabelValues(name, className(class))
		}
	}
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: ns, Subsystem: "access", Name: "refused_total",
		Help: "Requests that a sandbox's access verification refused, by reason; withheld = not told right from wrong, because too many signatures were guessed.",
	}, []string{"reason"})
	for answer := range access.Answers {
		if !answer.Granted() && answer != access.CheckSignature {
			m.refused[answer] = refused.WithLabelValues(answer.String())
		}
	}
	m.collectors = []prometheus.Collector{refused, requests, durations, bytes, m.inFlight, m.connectSeconds, m.connectFailed, m.aborted, m.waiting, m.waits, rejected}
	return m
}

// begin counts an exchange in; the returned function counts it out.
func (m *Metrics) begin(x *exchange) (done func()) {
	started := time.Now()
	m.inFlight.Inc()
	return func() {
		m.inFlight.Dec()
		form := int(x.route.Form)
		class := x.status / 100
		if class >= classCount {
			class = 0
		}
		m.requests[form][class].Inc()
		m.durations[form].Observe(time.Since(started).Seconds())
	}
}

func className(class int) string {
	if class == 0 {
		return "none"
	}
	return string(rune('0'+class)) + "xx"
}

// Connected counts an attempt to connect to a sandbox; it is for upstream.Options.
func (m *Metrics) Connected(took time.Duration, err error) {
	if err != nil {
		m.connectFailed.Inc()
		return
	}
	m.connectSeconds.Observe(took.Seconds())
}
