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
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/redistest"
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
}

// TestEveryMetricIsDocumented scrapes a lifecycle server and a gateway that have done all
// that makes a metric appear: together they show what the documentation lists, no more and no less.
func TestEveryMetricIsDocumented(t *testing.T) {
	redis := redistest.Start(t)
	extra := func(listen string) string {
		return fmt.Sprintf("[metrics]\nlisten = %q\n[renew_intent]\nenabled = true\n[renew_intent.redis]\nenabled = true\ndsn = %q\n", listen, redis.SocketURL())
	}
	ofServer, ofGateway := freeAddr(t), freeAddr(t)
	s := start(t, strings.Replace(extra(ofServer), "[renew_intent]\nenabled = true\n", "", 1)) // edge.New has it
	g := gateway(t, s, extra(ofGateway))
	sandbox, token := create(t, s, request(s))
	for _, through := range []*edge.Server{s, g} {
		route := through.Route(edge.Direct, sandbox.ID, 44772, token)
		eventually(t, func() error { // the feed may not have told of it yet
			_, err := route.Command(t.Context(), "true")
			return err
		})
		route.Close()
	}
	require.NoError(t, s.Call(t.Context(), "POST", "/v1/sandboxes/"+sandbox.ID+"/renew-expiration",
		map[string]any{"expiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, nil))
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))

	documented, seen := reference(t), map[string]bool{}
	for _, listen := range []string{ofServer, ofGateway} {
		for _, name := range shown(t, listen) {
			require.True(t, documented[name], "%s is in no table of docs/reference/metrics.md", name)
			seen[name] = true
		}
	}
	for name := range documented {
		require.True(t, seen[name] || rare[name], "%s is documented and was not there", name)
	}
}

var (
	exposed = regexp.MustCompile(`(?m)^# TYPE (opensandbox_[a-z_]+) `)
	tableOf = regexp.MustCompile("(?m)^\\| `(opensandbox_[a-z_]+)` \\|")
	// rare are the ones that appear with the first thing they count, which does not happen
	// here: a wait, and a question while the lifecycle server is away.
	rare = map[string]bool{"opensandbox_proxy_waits_total": true, "opensandbox_feed_confirms_total": true}
)

// shown are the names at a metrics listener.
func shown(t *testing.T, listen string) (names []string) {
	t.Helper()
	res, err := http.Get("http://" + listen + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	for _, m := range exposed.FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	require.NotEmpty(t, names)
	return names
}

// reference are the names in the documentation's tables.
func reference(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference/metrics.md")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, m := range tableOf.FindAllStringSubmatch(string(text), -1) {
		names[m[1]] = true
	}
	return names
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
