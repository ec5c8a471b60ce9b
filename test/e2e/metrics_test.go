//go:build docker

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// TestARealPrometheusReadsTheMetrics scrapes the server with Debian's Prometheus and
// asks it, not the server, for the numbers.
func TestARealPrometheusReadsTheMetrics(t *testing.T) {
	metrics, prometheus := freeAddr(t), freeAddr(t)
	s := start(t, fmt.Sprintf("[metrics]\nlisten = %q\n", metrics))
	sandbox, token := create(t, s, request(s))
	for _, form := range edge.Forms {
		route := s.Route(form, sandbox.ID, 44772, token)
		_, err := route.Command(t.Context(), "true")
		require.NoError(t, err)
		route.Close()
	}

	rules, err := filepath.Abs("../../deploy/monitoring/alerts.yml")
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "global:\n  evaluation_interval: 200ms\nrule_files: [%q]\nscrape_configs:\n- job_name: edge\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  static_configs:\n  - targets: [%q]\n", rules, metrics), 0o600))
	binary := fromEnv(t, "EDGE_PROMETHEUS")
	checked, err := exec.Command(filepath.Join(filepath.Dir(binary), "promtool"), "check", "config", config).CombinedOutput()
	require.NoError(t, err, "%s", checked)
	cmd := exec.Command(binary, "--config.file="+config, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+prometheus)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })

	for query, want := range map[string]string{
		`up`:                                     "1",
		`opensandbox_sandboxes{state="Running"}`: "1",
		`count(opensandbox_build_info)`:          "1",
		`opensandbox_sandbox_create_duration_seconds_count{runtime="docker",path="cold"}`: "1",
		`count(opensandbox_proxy_requests_total{class="2xx"} > 0)`:                        "4",
		`sum(opensandbox_proxy_requests_total{class="2xx"})`:                              "4",
		`opensandbox_directory_entries`:                                                   "1",
	} {
		eventually(t, func() error {
			var answer struct {
				Data struct {
					Result []struct{ Value []any }
				}
			}
			if err := getJSON("http://"+prometheus+"/api/v1/query?query="+url.QueryEscape(query), &answer); err != nil {
				return err
			}
			if r := answer.Data.Result; len(r) != 1 || r[0].Value[1] != want {
				return fmt.Errorf("%s is %v, not %s", query, r, want)
			}
			return nil
		})
	}

	// Prometheus itself evaluates every rule, and none fires on a healthy server.
	eventually(t, func() error {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, State, LastError string }
				}
			}
		}
		if err := getJSON("http://"+prometheus+"/api/v1/rules", &answer); err != nil {
			return err
		}
		if len(answer.Data.Groups) == 0 {
			return errors.New("no rules were loaded")
		}
		for _, rule := range answer.Data.Groups[0].Rules {
			if rule.Health != "ok" || rule.State != "inactive" {
				return fmt.Errorf("rule %s is %s, %s: %s", rule.Name, rule.Health, rule.State, rule.LastError)
			}
		}
		return nil
	})

	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	res, err := http.Get("http://" + metrics + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NotContains(t, string(text), sandbox.ID, "no label per sandbox")
	require.NotContains(t, string(text), s.Key)
	status, _ := raw(t, s, "GET", "/metrics", "", "")
	require.NotEqual(t, 200, status, "the API's port does not show metrics")

	shown := exposed.FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, shown)
	documented := reference(t)
	for _, m := range shown {
		_, known := documented[m[1]]
		require.True(t, known, "%s is in no table of docs/reference/metrics.md", m[1])
		delete(documented, m[1])
	}
	for name, row := range documented {
		require.True(t, elsewhere.MatchString(row), "%s is documented and was not there", name)
	}
}

var (
	exposed = regexp.MustCompile(`(?m)^# TYPE (opensandbox_[a-z_]+) `)
	tableOf = regexp.MustCompile("(?m)^\\| `(opensandbox_[a-z_]+)` \\|(.*)$")
	// elsewhere are the metrics that a server like the one of this test does not have: those
	// of a gateway, of Redis, and of waits that have not happened.
	elsewhere = regexp.MustCompile(`In a gateway|Redis|How waiting ended|renew`)
)

// reference is the documentation's tables: a row by metric.
func reference(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference/metrics.md")
	require.NoError(t, err)
	rows := map[string]string{}
	for _, m := range tableOf.FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = m[0]
	}
	return rows
}

func getJSON(from string, into any) error {
	res, err := http.Get(from)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
