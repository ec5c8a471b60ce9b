package ingress_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
)

func TestEveryFormIsCounted(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := ingress.NewMetrics(reg)
	require.NoError(t, err)
	require.NoError(t, m.Register(reg), "again is no error")
	require.NoError(t, m.Register(prometheus.NewRegistry()), "a later configuration's registry")

	e := newEdge(t, func(o *ingress.Options) { o.Metrics = m })
	e.sandbox(t, id, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte("x"), 1000)) }, 8080)
	for _, f := range forms("8080") {
		e.do(t, f.request(t, e, "POST", "/", strings.NewReader("12345")))
	}
	// the sandbox has no such port
	e.do(t, direct("9").request(t, e, "GET", "/", nil))
	require.Eventually(t, func() bool { return gather(t, reg, "opensandbox_proxy_requests_in_flight") == 0 }, eventually, tick)
	require.EqualValues(t, 20, gather(t, reg, "opensandbox_proxy_bytes_total", "received"))
	require.EqualValues(t, 4000, gather(t, reg, "opensandbox_proxy_bytes_total", "sent"))
	for _, form := range []string{"direct", "wildcard", "uri", "header"} {
		require.EqualValues(t, 1, gather(t, reg, "opensandbox_proxy_requests_total", form, "2xx"), form)
	}
	require.EqualValues(t, 1, gather(t, reg, "opensandbox_proxy_requests_total", "direct", "5xx"))
}

// gather reads one counter or gauge that has all the given label values.
func gather(t testing.TB, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			values := map[string]bool{}
			for _, l := range m.GetLabel() {
				values[l.GetValue()] = true
				require.NotContains(t, l.GetValue(), id)
			}
			if !containsAll(values, labels) {
				continue
			}
			if c := m.GetCounter(); c != nil {
				return c.GetValue()
			}
			return m.GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s %v", name, labels)
	return 0
}

func containsAll(set map[string]bool, want []string) bool {
	for _, w := range want {
		if !set[w] {
			return false
		}
	}
	return true
}
