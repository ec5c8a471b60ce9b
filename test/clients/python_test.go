//go:build clients

package clients

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The routes an endpoint answer may name; wildcard hosts would need DNS.
var ingress = map[string]string{
	"direct": "# direct\n# %[1]s %[2]d\n",
	"header": "[ingress]\nmode = \"gateway\"\ngateway.address = \"%[1]s\"\ngateway.route.mode = \"header\"\n# %[2]d\n",
	"uri":    "[ingress]\nmode = \"gateway\"\ngateway.address = \"%[1]s\"\ngateway.route.mode = \"uri\"\n# %[2]d\n",
}

// What a first script does, over every form of route.
func TestPublishedPythonClient(t *testing.T) {
	python := tool(t, "EDGE_PYTHON")
	for _, form := range []struct{ name, mode, access string }{
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
		t.Run(form.name+" "+form.mode+" "+form.access, func(t *testing.T) {
			t.Parallel()
			s := start(t, ingress[form.name], "")
			run(t, python, "python_smoke.py", s.Addr, s.Key, s.DemoImage, form.mode, form.access)
			left, err := s.Containers(t.Context())
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}
