//go:build docker

package e2e

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/test/edge"
)

// TestAReusedAddressNeverGetsTheTraffic takes a sandbox away while the server cannot hear
// of it, and gives its address to another container: a network with room for one leaves
// no other (threat row K9). Nothing sent for the sandbox may arrive there.
func TestAReusedAddressNeverGetsTheTraffic(t *testing.T) {
	proxy := enginetest.Start(t)
	s := prepare(t, "")
	s.EngineSocket = strings.TrimPrefix(proxy.Host(), "unix://")
	network := s.Instance
	docker(t, "network", "create", "--subnet", "10.213.77.0/30", network)
	t.Cleanup(func() { _ = exec.Command("docker", "network", "rm", network).Run() })
	edit(t, s, `network_mode = "bridge"`, `network_mode = "`+network+`"`)
	require.NoError(t, s.Start(t.Context()))

	sandbox, token := create(t, s, request(s))
	forms := make([]edge.Route, len(edge.Forms))
	for i, form := range edge.Forms {
		forms[i] = s.Route(form, sandbox.ID, 44772, token)
		defer forms[i].Close()
		_, err := forms[i].Command(t.Context(), "true")
		require.NoError(t, err)
	}
	address := inspectAddress(t, "sandbox-"+sandbox.ID)

	// From here on the server hears nothing, and knows it.
	proxy.Fault(enginetest.Fault{Match: enginetest.StreamEvents, Do: enginetest.Drop})
	proxy.Cut()
	deaf := time.Now().Add(3 * time.Second)
	docker(t, "rm", "-f", "sandbox-"+sandbox.ID)

	other := "other-" + s.Instance
	docker(t, "run", "-d", "--name", other, "--network", network, s.DemoImage, "sh", "-c",
		`printf '#!/bin/sh\nread request; echo "got <$request>" >> /tmp/hits\n' > /tmp/hit; chmod +x /tmp/hit; exec nc -ll -p 44772 -e /tmp/hit`)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", other).Run() })
	require.Equal(t, address, inspectAddress(t, other), "the address was not used again, so nothing is tested")
	eventually(t, func() error {
		if time.Now().Before(deaf) {
			return errNotYet
		}
		// The other container does listen where the sandbox did.
		out, err := exec.CommandContext(t.Context(), "docker", "exec", other, "sh", "-c", "nc -w 1 127.0.0.1 44772 </dev/null; cat /tmp/hits").Output()
		if err != nil || len(out) == 0 {
			return errNotYet
		}
		return nil
	})
	docker(t, "exec", other, "sh", "-c", ": > /tmp/hits")

	const tries = 10000
	for i := range tries {
		status, body, err := forms[i%len(forms)].Read(t.Context(), http.MethodGet, "/ping", nil, "")
		require.NoError(t, err)
		require.NotEqual(t, http.StatusOK, status, body)
	}
	hits, err := exec.CommandContext(t.Context(), "docker", "exec", other, "cat", "/tmp/hits").Output()
	require.NoError(t, err)
	// The address is confirmed between connect and first byte, so a connection without a
	// byte on it is possible, once.
	for line := range strings.Lines(string(hits)) {
		require.Equal(t, "got <>\n", line, "another container was sent something for a dead sandbox")
	}
}

func inspectAddress(t *testing.T, container string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "inspect", "-f",
		"{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
