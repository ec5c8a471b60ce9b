//go:build docker

package docker

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/dockertest"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestGVisorIsWhatASandboxRunsIn(t *testing.T) {
	t.Setenv("DOCKER_HOST", dockertest.GVisor(t, demoImage(), execdImage()).Host())
	r, cli := open(t, func(o *Options) { o.Hardening.OCIRuntime = "runsc" }), engineClient(t)
	s := spec(uuid.NewString())
	s.Limits = lifecycle.Limits{MemoryBytes: 256 << 20, NanoCPUs: 5e8}
	instance, err := r.Create(t.Context(), s)
	require.NoError(t, err)

	c, err := cli.ContainerInspect(t.Context(), "sandbox-"+s.ID)
	require.NoError(t, err)
	require.Equal(t, "runsc", c.HostConfig.Runtime)

	base := "http://" + net.JoinHostPort(instance.Address.String(), "44772")
	requireAnswers(t, base+"/ping")
	out := execdCommand(t, base, "cat /proc/version; dmesg; grep NoNewPrivs /proc/self/status; head -c 4 /opt/opensandbox/execd | tail -c 3; echo; echo x >/opt/opensandbox/execd || echo read-only")
	require.Contains(t, out, "gvisor", "the kernel's version")
	require.Contains(t, out, "Starting gVisor", "the kernel's log")
	require.Contains(t, out, "ELF")
	require.Contains(t, out, "read-only", "execd is as safe from the sandbox as anywhere")
	host, err := os.ReadFile("/proc/version")
	require.NoError(t, err)
	require.NotContains(t, out, strings.TrimSpace(string(host)))

	require.NoError(t, r.Pause(t.Context(), s.ID))
	require.NoError(t, r.Resume(t.Context(), s.ID))
	requireAnswers(t, base+"/ping")
	require.Contains(t, execdCommand(t, base, "echo awake"), "awake")
	require.NoError(t, r.Delete(t.Context(), s.ID))
}

func TestGVisorBehavesLikeEveryRuntime(t *testing.T) {
	t.Setenv("DOCKER_HOST", dockertest.GVisor(t, demoImage(), execdImage()).Host())
	behavesLikeEveryRuntime(t, func(o *Options) { o.Hardening.OCIRuntime = "runsc" })
}

func TestUnknownRuntimesFailTheStart(t *testing.T) {
	cli := engineClient(t)
	info, err := cli.Info(t.Context())
	require.NoError(t, err)
	opts := Options{Instance: "test-" + uuid.NewString()[:8], Adopt: AdoptOwn, NetworkMode: networkBridge, ExecdImage: execdImage()}
	opts.Hardening.OCIRuntime = "no-such-runtime"
	_, err = New(t.Context(), opts)
	typed := requireCode(t, err, http.StatusServiceUnavailable, codeInitialization)
	require.Contains(t, typed.Message, `no OCI runtime "no-such-runtime"`)
	for name := range info.Runtimes {
		require.Contains(t, typed.Message, name)
	}
}

// execdCommand runs a shell command through a sandbox's execd and returns the events' lines.
func execdCommand(t *testing.T, base, command string) string {
	t.Helper()
	body := strings.NewReader(`{"command":` + strconv.Quote(command) + `}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/command", body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	var out strings.Builder
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		out.WriteString(lines.Text() + "\n")
	}
	require.Contains(t, out.String(), "execution_complete")
	return out.String()
}
