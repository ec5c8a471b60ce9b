//go:build clients

package clients

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// The routes an endpoint answer may name; wildcard hosts would need DNS.
var ingress = map[string]string{
	"direct": "# direct\n# %[1]s %[2]d\n",
	"header": "[ingress]\nmode = \"gateway\"\ngateway.address = \"%[1]s\"\ngateway.route.mode = \"header\"\n# %[2]d\n",
	"uri":    "[ingress]\nmode = \"gateway\"\ngateway.address = \"%[1]s\"\ngateway.route.mode = \"uri\"\n# %[2]d\n",
}

func TestPublishedPythonClient(t *testing.T) {
	for _, run := range []struct{ name, mode, access string }{
		{"direct", "direct", "open"},
		{"direct", "proxy", "open"},
		{"header", "direct", "open"},
		{"header", "proxy", "open"},
		{"header", "direct", "secure"},
		{"header", "proxy", "secure"},
		{"uri", "direct", "open"},
		{"uri", "proxy", "open"},
		{"uri", "direct", "secure"},
		{"uri", "proxy", "secure"},
	} {
		t.Run(run.name+" "+run.mode+" "+run.access, func(t *testing.T) {
			t.Parallel()
			s, err := edge.New(edge.Options{
				Binary: os.Getenv("EDGE_SERVER"), ExecdImg: os.Getenv("EDGE_EXECD_IMAGE"),
				DemoImage: os.Getenv("EDGE_DEMO_IMAGE"), Dir: t.TempDir(), Ingress: ingress[run.name],
			})
			require.NoError(t, err)
			require.NoError(t, s.Start(t.Context()))
			defer s.Kill()
			out, err := exec.CommandContext(t.Context(), os.Getenv("EDGE_PYTHON"), "python_smoke.py", s.Addr, s.Key, s.DemoImage, run.mode, run.access).CombinedOutput()
			require.NoError(t, err, "%s\n--- server ---\n%s", out, s.Log())
			left, err := s.Containers(t.Context())
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
