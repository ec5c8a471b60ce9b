//go:build clients

package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// volumes starts a server that lets one directory be mounted, and names a volume that goes
// with the test.
func volumes(t *testing.T) (s *edge.Server, claim, allowed string) {
	t.Helper()
	// Not below a directory that only its owner may enter: mounts are checked as they are.
	allowed, err := os.MkdirTemp("/var/tmp", "edge-clients-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(allowed)) })
	s = start(t, ingress["direct"], fmt.Sprintf("[storage]\nallowed_host_paths = [%q]\n", allowed))
	claim = s.Instance + "-kept"
	t.Cleanup(func() {
		out, err := exec.Command("docker", "volume", "rm", "-f", claim, claim+"-gone").CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return s, claim, allowed
}

// named lists the engine's volumes whose name contains text.
func named(t *testing.T, text string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "volume", "ls", "-q", "--filter", "name="+text).Output()
	require.NoError(t, err)
	return strings.Fields(string(out))
}

func TestPublishedPythonClientMountsVolumes(t *testing.T) {
	t.Parallel()
	python := tool(t, "EDGE_PYTHON")
	s, claim, allowed := volumes(t)
	run(t, python, "python_volumes.py", s.Addr, s.Key, s.DemoImage, claim, allowed, t.TempDir())
	noSandboxLeft(t, s)
	written, err := os.ReadFile(filepath.Join(allowed, "out.txt"))
	require.NoError(t, err)
	require.Equal(t, "from inside\n", string(written))
	require.Equal(t, []string{claim}, named(t, claim), "the one that was to go has gone")
}

func TestPublishedJavaScriptClientMountsVolumes(t *testing.T) {
	t.Parallel()
	module := tool(t, "EDGE_JAVASCRIPT")
	s, claim, allowed := volumes(t)
	run(t, "node", "javascript_volumes.mjs", module, s.Addr, s.Key, s.DemoImage, claim, allowed)
	noSandboxLeft(t, s)
	require.Equal(t, []string{claim}, named(t, claim), "the one that was to go has gone")
}

func TestPublishedCommandLineMountsVolumes(t *testing.T) {
	t.Parallel()
	s, claim, allowed := volumes(t)
	c := newCLI(t, s, "direct")
	list, err := json.Marshal([]map[string]any{
		{"name": "data", "mountPath": "/data", "pvc": map[string]any{"claimName": claim}},
		{"name": "work", "mountPath": "/mnt/shared", "host": map[string]any{"path": allowed}, "readOnly": true},
	})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "volumes.json")
	require.NoError(t, os.WriteFile(file, list, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(allowed, "in.txt"), []byte("from outside"), 0o644))
	var made struct{ ID string }
	c.read(&made, "sandbox", "create", "--image", s.DemoImage, "--timeout", "5m", "--volumes-file", file)
	require.Equal(t, "from outside", strings.TrimSpace(c.text("file", "cat", made.ID, "/mnt/shared/in.txt")))
	c.text("file", "write", made.ID, "/data/a.txt", "-c", "kept")
	c.fails("file", "write", made.ID, "/mnt/shared/a.txt", "-c", "refused")
	c.text("sandbox", "kill", made.ID)
	noSandboxLeft(t, s)
	require.Equal(t, []string{claim}, named(t, claim))
}
