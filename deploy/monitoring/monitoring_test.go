package monitoring_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var metricName = regexp.MustCompile(`opensandbox_[a-z_]+`)

// Rules and panels ask for documented metrics alone; that the documented ones exist is
// seen by a real Prometheus in test/e2e.
func TestRulesAndPanelsUseDocumentedMetrics(t *testing.T) {
	documented := map[string]bool{}
	for _, name := range metricName.FindAllString(read(t, "../../docs/reference/metrics.md"), -1) {
		documented[name] = true
	}
	require.NotEmpty(t, documented)
	for _, file := range []string{"alerts.yml", "dashboard.json"} {
		used := metricName.FindAllString(read(t, file), -1)
		require.NotEmpty(t, used)
		for _, name := range used {
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				if base := strings.TrimSuffix(name, suffix); documented[base] {
					name = base
				}
			}
			require.True(t, documented[name], "%s uses %s, which is in no table of metrics.md", file, name)
		}
	}
}

func TestTheDashboardIsWhole(t *testing.T) {
	var dashboard struct {
		UID    string
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "dashboard.json")), &dashboard))
	require.NotEmpty(t, dashboard.UID)
	seen := map[int]bool{}
	for _, p := range dashboard.Panels {
		require.False(t, seen[p.ID], "two panels have the id %d", p.ID)
		seen[p.ID] = true
		require.NotEmpty(t, p.Title)
		if p.Type != "row" {
			require.NotEmpty(t, p.Targets, p.Title)
		}
		for _, target := range p.Targets {
			require.Contains(t, target.Expr, `job=~"$job"`, p.Title)
		}
	}
}

func TestPromtoolAcceptsTheRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if from := os.Getenv("EDGE_PROMETHEUS"); err != nil && from != "" {
		promtool, err = strings.TrimSuffix(from, "prometheus")+"promtool", nil
	}
	if err != nil {
		t.Skip("SKIPPED: no promtool on this machine; test/e2e has it check the rules")
	}
	out, err := exec.Command(promtool, "check", "rules", "alerts.yml").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
