//go:build clients

package clients

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// start runs a server for the time of the test. A client leaves no sandbox behind.
func start(t *testing.T, ingress, extra string) *edge.Server {
	t.Helper()
	s, err := edge.New(edge.Options{
		Binary: os.Getenv("EDGE_SERVER"), ExecdImg: os.Getenv("EDGE_EXECD_IMAGE"),
		DemoImage: os.Getenv("EDGE_DEMO_IMAGE"), Dir: t.TempDir(), Ingress: ingress, Extra: extra,
	})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, s.Stop())
		require.NoError(t, s.RemoveContainers(ctx))
		if t.Failed() {
			t.Logf("--- server ---\n%s", s.Log())
		}
	})
	return s
}

// tool is the path that tools/machine/test-clients prepared; where it could not, it said why.
func tool(t *testing.T, variable string) string {
	t.Helper()
	if why := os.Getenv(variable + "_MISSING"); why != "" {
		t.Skip("SKIPPED: " + why)
	}
	path := os.Getenv(variable)
	require.NotEmpty(t, path, "set %s, or run `make test-clients`", variable)
	return path
}

// run starts a client's script and requires that it comes to its end.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
}

func noSandboxLeft(t *testing.T, s *edge.Server) {
	t.Helper()
	left, err := s.List(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestPublishedPythonClientOverTheSurface(t *testing.T) {
	python := tool(t, "EDGE_PYTHON")
	for _, mode := range []string{"direct", "proxy"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, ingress["header"], "")
			run(t, python, "python_surface.py", s.Addr, s.Key, s.DemoImage, mode)
			noSandboxLeft(t, s)
		})
	}
}

func TestPublishedJavaScriptClientOverTheSurface(t *testing.T) {
	module := tool(t, "EDGE_JAVASCRIPT")
	for _, mode := range []string{"direct", "proxy"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, ingress["header"], "")
			run(t, "node", "javascript_surface.mjs", module, s.Addr, s.Key, s.DemoImage, mode)
			noSandboxLeft(t, s)
		})
	}
}
