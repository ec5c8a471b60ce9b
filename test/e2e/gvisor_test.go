//go:build docker

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/dockertest"
	"github.com/opensandbox-edge/edge/test/edge"
)

// TestCommandsRunInGVisor goes the whole way of a client, on an engine that has gVisor: the
// kernel that answers a command is not this machine's.
func TestCommandsRunInGVisor(t *testing.T) {
	engine := dockertest.GVisor(t, fromEnv(t, "EDGE_DEMO_IMAGE"), fromEnv(t, "EDGE_EXECD_IMAGE"))
	t.Setenv("DOCKER_HOST", engine.Host())
	s := start(t, "[secure_runtime]\ntype = \"gvisor\"\ndocker_runtime = \"runsc\"\n")
	sandbox, token := create(t, s, request(s))
	for _, form := range edge.Forms {
		route := s.Route(form, sandbox.ID, 44772, token)
		defer route.Close()
		out, err := route.Command(t.Context(), "cat /proc/version; dmesg | head -1")
		require.NoError(t, err)
		require.Contains(t, out, "gvisor")
		require.Contains(t, out, "Starting gVisor")
		require.NoError(t, route.Upload(t.Context(), "/tmp/file", strings.NewReader("kept")))
		out, err = route.Command(t.Context(), "cat /tmp/file")
		require.NoError(t, err)
		require.Contains(t, out, "kept")
	}
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
}

// TestASecureRuntimeIsCheckedAtStart: no server that would run sandboxes without the
// isolation its operator asked for.
func TestASecureRuntimeIsCheckedAtStart(t *testing.T) {
	secure := func(t *testing.T, network string) string {
		s := prepare(t, "[secure_runtime]\ntype = \"kata\"\ndocker_runtime = \"kata-of-nobody\"\n")
		edit(t, s, `network_mode = "bridge"`, `network_mode = "`+network+`"`)
		require.Error(t, s.Start(t.Context()))
		return s.Log()
	}
	require.Contains(t, secure(t, "host"), "docker.network_mode must be")
	log := secure(t, "bridge")
	require.Contains(t, log, "kata-of-nobody")
	known, err := exec.CommandContext(t.Context(), "docker", "info", "-f", "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}").Output()
	require.NoError(t, err)
	for _, name := range strings.Fields(string(known)) {
		require.Contains(t, log, name)
	}
}
