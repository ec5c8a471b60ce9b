package lifecycle_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

// samples gathers all values by "name{label=value}"; histograms give their counts.
func samples(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := lifecycle.NewMetrics(reg)
	b := started(t, func(o *lifecycle.Options) { o.Metrics, o.MaxSandboxes = m, 3 })
	one, two := b.create(), b.create()
	expiring := b.create(timeout(time.Minute))
	_, err := b.Create(t.Context(), request())
	require.Error(t, err)
	require.NoError(t, b.Pause(t.Context(), one.ID))
	require.NoError(t, b.Delete(t.Context(), two.ID))
	b.advance(2 * time.Minute)
	b.eventually(func() bool { return !b.runtime.Has(expiring.ID) })
	b.eventually(func() bool { _, err := b.Get(t.Context(), expiring.ID); return err != nil })
	_, err = b.Create(t.Context(), request(image(runtimefake.RefusedImage)))
	require.Error(t, err)
	_, err = b.Renew(t.Context(), one.ID, b.clock.Now().Add(time.Hour))
	require.NoError(t, err)
	_, err = b.Renew(t.Context(), one.ID, time.Time{})
	require.Error(t, err)
	_, err = b.ExtendOnAccess(t.Context(), one.ID, accessed)
	require.NoError(t, err)
	b.store.failing(func(string, lifecycle.Record) error { return errors.New("full") })
	_, err = b.Renew(t.Context(), one.ID, b.clock.Now().Add(time.Hour))
	require.Error(t, err)

	got := samples(t, reg)
	for name, want := range map[string]float64{
		"opensandbox_sandboxes{state=Paused}":                                                        1,
		"opensandbox_sandboxes{state=Running}":                                                       0,
		"opensandbox_sandboxes{state=Terminated}":                                                    0,
		"opensandbox_directory_entries{}":                                                            1,
		"opensandbox_backend_events_up{}":                                                            1,
		"opensandbox_sandbox_create_duration_seconds{outcome=ok,path=cold,runtime=docker}":           3,
		"opensandbox_sandbox_create_duration_seconds{outcome=failed,path=cold,runtime=docker}":       1,
		"opensandbox_sandbox_ready_duration_seconds{path=cold,runtime=docker}":                       3,
		"opensandbox_sandbox_delete_duration_seconds{cause=request,outcome=ok,runtime=docker}":       1,
		"opensandbox_sandbox_delete_duration_seconds{cause=expiry,outcome=ok,runtime=docker}":        1,
		"opensandbox_sandbox_delete_duration_seconds{cause=failed_create,outcome=ok,runtime=docker}": 1,
		"opensandbox_sandbox_creates_refused_total{}":                                                1,
		"opensandbox_renewals_total{outcome=ok,source=api}":                                          1,
		"opensandbox_renewals_total{outcome=rejected,source=api}":                                    1,
		"opensandbox_renewals_total{outcome=failed,source=api}":                                      1,
		"opensandbox_renewals_total{outcome=ineligible,source=access}":                               1,
		"opensandbox_expiry_lag_seconds{}":                                                           1,
		"opensandbox_store_write_duration_seconds{operation=put,outcome=failed}":                     1,
	} {
		value, present := got[name]
		require.True(t, present, "%s is missing in %v", name, got)
		require.InDelta(t, want, value, 0, name)
	}
	for name := range got {
		require.True(t, strings.HasPrefix(name, "opensandbox_"), name)
		require.NotContains(t, name, one.ID, "a label per sandbox")
	}

	// A reload brings a new registry, and the numbers go on.
	again := prometheus.NewPedanticRegistry()
	require.NoError(t, again.Register(m))
	require.InDelta(t, 3, samples(t, again)["opensandbox_sandbox_ready_duration_seconds{path=cold,runtime=docker}"], 0)
	b.close(b.Service)
	samples(t, again)
}
