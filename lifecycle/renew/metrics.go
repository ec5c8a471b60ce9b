package renew

import "github.com/prometheus/client_golang/prometheus"

// tally counts accesses. Of this process's own only those past the throttle are counted.
type tally struct {
	observed [sources]prometheus.Counter
	outcomes [sources][outcomes]prometheus.Counter

	observedVec, outcomeVec *prometheus.CounterVec
	length                  *prometheus.Desc
}

func newTally() tally {
	t := tally{
		observedVec: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "opensandbox_renew_intents_observed_total",
			Help: "Accesses that may move a deadline, by who saw them. Of the process's own only the first per interval.",
		}, []string{"source"}),
		outcomeVec: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "opensandbox_renew_intents_total",
			Help: "What became of the observed accesses.",
		}, []string{"source", "outcome"}),
		length: prometheus.NewDesc("opensandbox_renew_queue_length", "Sandboxes that wait for their renewal.", nil, nil),
	}
	for s := range sources {
		t.observed[s] = t.observedVec.WithLabelValues(s.String())
		for o := queued + 1; o < outcomes; o++ {
			t.outcomes[s][o] = t.outcomeVec.WithLabelValues(s.String(), o.String())
		}
	}
	return t
}

var _ prometheus.Collector = (*Renewer)(nil)

// Describe implements prometheus.Collector.
func (r *Renewer) Describe(ch chan<- *prometheus.Desc) {
	r.tally.observedVec.Describe(ch)
	r.tally.outcomeVec.Describe(ch)
	ch <- r.tally.length
}

// Collect implements prometheus.Collector.
func (r *Renewer) Collect(ch chan<- prometheus.Metric) {
	r.tally.observedVec.Collect(ch)
	r.tally.outcomeVec.Collect(ch)
	ch <- prometheus.MustNewConstMetric(r.tally.length, prometheus.GaugeValue, float64(len(r.queue.items)))
}
