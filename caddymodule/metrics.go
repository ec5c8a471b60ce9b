package caddymodule

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/opensandbox-edge/edge/internal/version"
)

// collectors are the metrics of the long-lived state. Caddy makes a new registry for
// every configuration; each of them gets this one collector, so that counters go on
// across reloads. It implements prometheus.Registerer for the libraries and
// prometheus.Collector for Caddy.
type collectors struct {
	registry *prometheus.Registry // refuses duplicates and malformed descriptions

	mu   sync.RWMutex
	list []prometheus.Collector
}

func newCollectors() *collectors {
	c := &collectors{registry: prometheus.NewRegistry()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "opensandbox_build_info", Help: "1, labelled with the version of the server.",
		ConstLabels: prometheus.Labels{"version": version.Version},
	})
	build.Set(1)
	c.MustRegister(build)
	return c
}

// Register implements prometheus.Registerer.
func (c *collectors) Register(added prometheus.Collector) error {
	if err := c.registry.Register(added); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, added)
	return nil
}

// MustRegister implements prometheus.Registerer.
func (c *collectors) MustRegister(added ...prometheus.Collector) {
	for _, one := range added {
		if err := c.Register(one); err != nil {
			panic(err) // two parts of ours claim one name: a defect found by any test
		}
	}
}

// Unregister implements prometheus.Registerer.
func (c *collectors) Unregister(removed prometheus.Collector) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, one := range c.list {
		if one == removed {
			c.list = append(c.list[:i:i], c.list[i+1:]...)
			break
		}
	}
	return c.registry.Unregister(removed)
}

// Describe implements prometheus.Collector. It sends nothing, which makes the
// collector unchecked: what it collects changes while the state is being opened.
func (c *collectors) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collectors) Collect(metrics chan<- prometheus.Metric) {
	c.mu.RLock()
	list := append([]prometheus.Collector(nil), c.list...)
	c.mu.RUnlock()
	for _, one := range list {
		one.Collect(metrics)
	}
}

// replacing registers in place of an equal collector: opening the state after a failed
// attempt makes its metrics anew.
type replacing struct{ *collectors }

// Register implements prometheus.Registerer.
func (r replacing) Register(added prometheus.Collector) error {
	err := r.collectors.Register(added)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		r.Unregister(already.ExistingCollector)
		return r.collectors.Register(added)
	}
	return err
}

// MustRegister implements prometheus.Registerer.
func (r replacing) MustRegister(added ...prometheus.Collector) {
	for _, one := range added {
		if err := r.Register(one); err != nil {
			panic(err)
		}
	}
}

// current forwards to the state that is open when metrics are read.
type currentCollectors struct{ app *App }

func (currentCollectors) Describe(chan<- *prometheus.Desc) {}

func (c currentCollectors) Collect(metrics chan<- prometheus.Metric) {
	if s := c.app.state(); s != nil {
		s.metrics.Collect(metrics)
	}
}

// registerMetrics adds the state's metrics to a configuration's registry.
func (app *App) registerMetrics(registry *prometheus.Registry) error {
	err := registry.Register(currentCollectors{app})
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		return nil
	}
	return err
}
