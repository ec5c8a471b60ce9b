package lifecycle

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics measures a Service. It is itself a prometheus.Collector, so that it can be
// registered with a new registry after every reload of the configuration while
// the service lives on. No metric is labelled by sandbox.
type Metrics struct {
	service atomic.Pointer[Service]

	creates   *prometheus.HistogramVec
	readies   *prometheus.HistogramVec
	deletes   *prometheus.HistogramVec
	store     *prometheus.HistogramVec
	renewals  *prometheus.CounterVec
	refused   prometheus.Counter
	expiryLag prometheus.Histogram

	sandboxes, entries, eventAge, eventsUp *prometheus.Desc

	storeFailing atomic.Bool
}

// The ways a sandbox was made: from an image, or beforehand for a pool.
const (
	pathCold = "cold"
	pathPool = "pool"
)

var (
	slowBuckets = []float64{.05, .1, .2, .3, .5, .75, 1, 2, 5, 10, 20, 60, 180}
	fastBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2}
	readyBucket = []float64{.001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 20}
)

// NewMetrics makes metrics and, unless reg is nil, registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		creates: histogram("sandbox_create_duration_seconds", "Time from a valid create request to its answer.", slowBuckets, "runtime", "path", "outcome"),
		readies: histogram("sandbox_ready_duration_seconds", "Time from the start of a container to the first answer of its execd.", readyBucket, "runtime", "path"),
		deletes: histogram("sandbox_delete_duration_seconds", "Time to remove a sandbox from the backend, per attempt.", slowBuckets, "runtime", "cause", "outcome"),
		store:   histogram("store_write_duration_seconds", "Time of a durable write.", fastBuckets, "operation", "outcome"),
		renewals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "opensandbox_renewals_total", Help: "Attempts to move an expiry, by who asked.",
		}, []string{"source", "outcome"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "opensandbox_sandbox_creates_refused_total", Help: "Valid create requests refused because a limit was reached.",
		}),
		expiryLag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "opensandbox_expiry_lag_seconds", Help: "How late the removal of an expired sandbox began.", Buckets: slowBuckets,
		}),
		sandboxes: desc("sandboxes", "Known sandboxes by state.", "state"),
		entries:   desc("directory_entries", "Sandboxes in the route directory."),
		eventAge:  desc("backend_event_age_seconds", "Time since the backend was last heard of, by event or list."),
		eventsUp:  desc("backend_events_up", "1 while the backend's event stream is connected."),
	}
	if reg != nil {
		reg.MustRegister(m)
	}
	return m
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "opensandbox_" + name, Help: help, Buckets: buckets}, labels)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("opensandbox_"+name, help, labels, nil)
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.creates, m.readies, m.deletes, m.store, m.renewals, m.refused, m.expiryLag}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(ch)
	}
	for _, d := range []*prometheus.Desc{m.sandboxes, m.entries, m.eventAge, m.eventsUp} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(ch)
	}
	s := m.service.Load()
	if s == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for state, n := range s.census() {
		gauge(m.sandboxes, float64(n), string(state))
	}
	gauge(m.entries, float64(s.directory.Len()))
	age, up := s.directory.EventAge()
	gauge(m.eventAge, age.Seconds())
	if up {
		gauge(m.eventsUp, 1)
	} else {
		gauge(m.eventsUp, 0)
	}
}

// census counts sandboxes by state. The usual states are there even when none is in
// them; others are counted as Unknown, so that a backend cannot add series.
func (s *Service) census() map[State]int {
	n := map[State]int{Pending: 0, Running: 0, Paused: 0, Stopping: 0, Terminated: 0, Failed: 0, Unknown: 0}
	s.sandboxes.Range(func(_, v any) bool {
		u := v.(*tracked)
		if u.member.Load() {
			return true
		}
		state := u.view.Load().sandbox().Status.State
		if _, usual := n[state]; !usual {
			state = Unknown
		}
		n[state]++
		return true
	})
	return n
}

func (m *Metrics) observe(s *Service) { m.service.Store(s) }

func (m *Metrics) forget(s *Service) { m.service.CompareAndSwap(s, nil) }

func (m *Metrics) created(runtime string, took time.Duration, err error) {
	m.createdBy(pathCold, runtime, took, err)
}

func (m *Metrics) createdBy(path, runtime string, took time.Duration, err error) {
	m.creates.WithLabelValues(runtime, path, outcome(err)).Observe(took.Seconds())
}

func (m *Metrics) ready(runtime string, took time.Duration) {
	m.readies.WithLabelValues(runtime, pathCold).Observe(took.Seconds())
}

func (m *Metrics) deleted(runtime, cause string, took time.Duration, err error) {
	m.deletes.WithLabelValues(runtime, cause, outcome(err)).Observe(took.Seconds())
}

func (m *Metrics) renewed(source, outcome string) {
	m.renewals.WithLabelValues(source, outcome).Inc()
}

// stored measures a write. A caller that left is no failure of the store.
func (m *Metrics) stored(ctx context.Context, operation string, took time.Duration, err error) {
	m.store.WithLabelValues(operation, outcome(err)).Observe(took.Seconds())
	if err == nil || ctx.Err() == nil {
		m.storeFailing.Store(err != nil)
	}
}
