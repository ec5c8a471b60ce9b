//go:build clients

package clients

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// noSnapshotLeft requires that the engine keeps no image of a snapshot that is deleted.
func noSnapshotLeft(t *testing.T, id string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "image", "ls", "-q", "opensandbox-snapshots:"+id).Output()
	require.NoError(t, err)
	require.Empty(t, string(out))
}

func TestPublishedPythonClientTakesSnapshots(t *testing.T) {
	t.Parallel()
	python := tool(t, "EDGE_PYTHON")
	s := start(t, ingress["direct"], "")
	run(t, python, "python_snapshots.py", s.Addr, s.Key, s.DemoImage)
	noSandboxLeft(t, s)
}

func TestPublishedJavaScriptClientTakesSnapshots(t *testing.T) {
	t.Parallel()
	module := tool(t, "EDGE_JAVASCRIPT")
	s := start(t, ingress["direct"], "")
	run(t, "node", "javascript_snapshots.mjs", module, s.Addr, s.Key, s.DemoImage)
	noSandboxLeft(t, s)
}

func TestPublishedCommandLineTakesSnapshots(t *testing.T) {
	t.Parallel()
	s := start(t, ingress["direct"], "")
	c := newCLI(t, s, "direct")
	var source, restored struct{ ID string }
	c.read(&source, "sandbox", "create", "--image", s.DemoImage, "--timeout", "5m")
	c.text("file", "write", source.ID, "/root/kept.txt", "-c", "kept")
	var snapshot struct{ ID string }
	c.read(&snapshot, "snapshot", "create", source.ID, "--name", "first")
	t.Cleanup(func() { // a failed test leaves no image behind
		_ = exec.Command("docker", "image", "rm", "-f", "opensandbox-snapshots:"+snapshot.ID).Run()
	})
	require.NoError(t, edge.Until(t.Context(), func() error {
		state := c.text("snapshot", "get", snapshot.ID, "-o", "json")
		if strings.Contains(state, "Creating") {
			return errRunning
		}
		require.Contains(t, state, "Ready")
		return nil
	}))
	require.Contains(t, c.text("snapshot", "list", "--sandbox-id", source.ID, "--state", "Ready", "-o", "json"), snapshot.ID)
	c.text("sandbox", "kill", source.ID)

	c.read(&restored, "sandbox", "create", "--snapshot-id", snapshot.ID, "--timeout", "5m")
	require.Contains(t, c.text("file", "cat", restored.ID, "/root/kept.txt"), "kept")
	c.text("sandbox", "kill", restored.ID)
	c.text("snapshot", "delete", snapshot.ID)
	require.NotContains(t, c.text("snapshot", "list", "-o", "json"), snapshot.ID)
	noSnapshotLeft(t, snapshot.ID)
	noSandboxLeft(t, s)
}
