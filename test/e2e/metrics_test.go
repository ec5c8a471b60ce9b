//go:build docker

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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

	config := filepath.Join(t.TempDir(), "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "scrape_configs:\n- job_name: edge\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  static_configs:\n  - targets: [%q]\n", metrics), 0o600))
	cmd := exec.Command(fromEnv(t, "EDGE_PROMETHEUS"), "--config.file="+config, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+prometheus)
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
			res, err := http.Get("http://" + prometheus + "/api/v1/query?query=" + url.QueryEscape(query))
			if err != nil {
				return err
			}
			defer res.Body.Close()
			var answer struct {
				Data struct {
					Result []struct{ Value []any }
				}
			}
			if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
				return err
			}
			if r := answer.Data.Result; len(r) != 1 || r[0].Value[1] != want {
				return fmt.Errorf("%s is %v, not %s", query, r, want)
			}
			return nil
		})
	}

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

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
