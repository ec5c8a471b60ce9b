//go:build clients

package clients

import (
	"context"
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// recorder is a workload that takes the daemon's port and writes down what it is asked.
const recorder = `cat > /tmp/record <<'END'
#!/bin/sh
while read -r -t 5 line; do
  echo "$line" >> /tmp/heard
  [ "$line" = "$(printf '\r')" ] && break
done
printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}'
END
chmod +x /tmp/record
(until nc -ll -p 44772 -e /tmp/record; do :; done) &
while [ ! -e /tmp/heard ]; do killall -9 execd; sleep 0.2; done
exec sleep 600`

// The JavaScript client sends the API key with every request, the others with those to the
// API; a sandbox that is asked in the place of its daemon hears it from none (threat rows
// C1, C2).
func TestNoClientGivesTheKeyToASandbox(t *testing.T) {
	python, module := tool(t, "EDGE_PYTHON"), tool(t, "EDGE_JAVASCRIPT")
	for _, form := range []string{"direct", "header", "uri"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			s := start(t, ingress[form], "")
			r := edge.CreateRequest{Entrypoint: []string{"sh", "-c", recorder}, Timeout: 300, SecureAccess: form != "direct"}
			r.Image.URI = s.DemoImage
			sandbox, err := s.Create(t.Context(), r)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, edge.Until(ctx, func() error {
				run(t, python, "python_knock.py", s.Addr, s.Key, sandbox.ID, "proxy")
				if heard(t, sandbox.ID) == "" {
					return errRunning
				}
				return nil
			}), "the workload does not get the daemon's port")

			for _, mode := range []string{"direct", "proxy"} {
				run(t, python, "python_knock.py", s.Addr, s.Key, sandbox.ID, mode)
				run(t, "node", "javascript_knock.mjs", module, s.Addr, s.Key, sandbox.ID, mode)
				_, _ = newCLI(t, s, mode).try("command", "run", sandbox.ID, "--", "true")
			}
			all := heard(t, sandbox.ID)
			for _, want := range []string{"POST /command", "POST /files/upload", "GET /files/download", "GET /metrics", "Python", "JS"} {
				require.Contains(t, all, want, "it was the sandbox that answered")
			}
			for _, key := range []string{s.Key, base64.StdEncoding.EncodeToString([]byte(s.Key)), "open-sandbox-api-key"} {
				require.NotContains(t, strings.ToLower(all), strings.ToLower(key))
			}
			require.NotContains(t, strings.ToLower(all), "opensandbox-secure-access")
			require.NoError(t, s.Delete(t.Context(), sandbox.ID))
		})
	}
}

// heard is what the recorder wrote down.
func heard(t *testing.T, id string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "exec", "sandbox-"+id, "sh", "-c", "cat /tmp/heard 2>/dev/null; true").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
