//go:build docker

package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// TestSecretsStayInside seeds secrets everywhere a client can put one, drives every
// route at the most talkative log level, and then looks for them where they must not be.
func TestSecretsStayInside(t *testing.T) {
	s := start(t, "[log]\nlevel = \"DEBUG\"\n")
	sandbox, token := create(t, s, request(s))
	seeds := map[string]string{
		"API key":           s.Key,
		"execd token":       token,
		"registry password": "seed-registry-password",
		"env value":         "seed-env-value",
		"query value":       "seed-query-value",
		"wrong key":         "seed-wrong-key",
		"header value":      "seed-secure-access",
	}
	for _, form := range edge.Forms {
		route := s.Route(form, sandbox.ID, 44772, token).With("OpenSandbox-Secure-Access", seeds["header value"])
		out, err := route.Command(t.Context(), "env; cat /proc/1/environ /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; cat /opt/opensandbox/.env")
		require.NoError(t, err)
		require.NotContains(t, out, token, "the token is not in any environment of the sandbox")
		require.NotContains(t, out, s.Key)
		_, _, err = route.Read(t.Context(), http.MethodGet, "/files/info?path=/tmp&signature="+seeds["query value"], nil, "")
		require.NoError(t, err)
		route.Close()

		closed := s.Route(form, sandbox.ID, 9, "").With("OPEN-SANDBOX-API-KEY", s.Key)
		status, body, err := closed.Read(t.Context(), http.MethodGet, "/nobody-listens?x="+seeds["query value"], nil, "")
		require.NoError(t, err)
		require.Equal(t, http.StatusBadGateway, status)
		require.NotContains(t, body, "172.", "no internal address in an error")
		closed.Close()
	}
	raw(t, s, "GET", "/v1/sandboxes", "", seeds["wrong key"])
	raw(t, s, "POST", "/v1/sandboxes", fmt.Sprintf(
		`{"image":{"uri":"127.0.0.1:1/x","auth":{"username":"u","password":%q}},"entrypoint":["a"],"resourceLimits":{},"env":{"P":%q}}`,
		seeds["registry password"], seeds["env value"]), s.Key)
	raw(t, s, "POST", "/v1/sandboxes", fmt.Sprintf(`{"env":{"P":%q},"image":3}`, seeds["env value"]), s.Key)

	inspect, err := exec.CommandContext(t.Context(), "docker", "inspect", "sandbox-"+sandbox.ID).Output()
	require.NoError(t, err)
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID()))
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	require.NoError(t, s.Stop())
	places := map[string]string{"log": s.Log(), "docker inspect": string(inspect), "command line": string(cmdline)}
	require.NoError(t, filepath.WalkDir(s.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == s.ConfigPath() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		require.Zero(t, info.Mode().Perm()&0o077, "%s is readable by others", path)
		b, err := os.ReadFile(path)
		places[path] = string(b)
		return err
	}))
	require.Contains(t, places["log"], sandbox.ID, "the log was looked at")
	for what, value := range seeds {
		for place, text := range places {
			require.False(t, strings.Contains(text, value), "the %s stands in %s:\n%s", what, place, lines(text, value))
		}
	}
}

func lines(text, value string) string {
	var hits []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.Contains(line, value) {
			hits = append(hits, line)
		}
	}
	return strings.Join(hits, "\n")
}
