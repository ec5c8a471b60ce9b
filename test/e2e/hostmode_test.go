//go:build docker

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/internal/porttest"
	"github.com/opensandbox-edge/edge/test/edge"
)

// onHost runs a server whose sandboxes share the machine's network.
func onHost(t *testing.T, ports ...uint16) *edge.Server {
	t.Helper()
	s := prepare(t, "")
	keys := `network_mode = "host"`
	if len(ports) > 0 {
		keys += "\nhost_mode_ports = " + strings.ReplaceAll(fmt.Sprint(ports), " ", ", ")
	}
	edit(t, s, `network_mode = "bridge"`, keys)
	require.NoError(t, s.Start(t.Context()))
	return s
}

// whose asks the execd that a route leads to which sandbox it is in.
func whose(t *testing.T, r edge.Route) string {
	t.Helper()
	out, err := r.Command(t.Context(), "echo $OPENSANDBOX_ID")
	require.NoError(t, err)
	return strings.TrimSpace(out)
}

// Two sandboxes in host mode never share an execd (contract 02 §22), on any route, and
// still do not after the server was started anew.
func TestHostModeSandboxesSideBySide(t *testing.T) {
	web := porttest.Reserve(t).Port()
	s := onHost(t, web)
	one, oneToken := create(t, s, request(s))
	two, twoToken := create(t, s, request(s))
	check := func() {
		for _, form := range edge.Forms {
			for id, token := range map[string]string{one.ID: oneToken, two.ID: twoToken} {
				route := s.Route(form, id, 44772, token)
				require.Equal(t, id, whose(t, route), "%s leads to another sandbox", form)
				route.Close()
			}
		}
	}
	check()
	_, err := s.Route(edge.Direct, one.ID, 44772, twoToken).Command(t.Context(), "true")
	require.ErrorContains(t, err, "401", "the token of one opens another")

	// A port of theirs is reached where the operator named it, and by way of execd else.
	serve := `printf '#!/bin/sh\nread line; printf "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nhi"\n' > /tmp/serve; chmod +x /tmp/serve; nc -ll -p %d -e /tmp/serve </dev/null >/dev/null 2>&1 &`
	other := porttest.Reserve(t).Port()
	for _, port := range []uint16{web, other} {
		_, err := s.Route(edge.Direct, one.ID, 44772, oneToken).Command(t.Context(), fmt.Sprintf(serve, port))
		require.NoError(t, err)
	}
	eventually(t, func() error {
		status, body, err := s.Route(edge.Direct, one.ID, int(web), "").Read(t.Context(), http.MethodGet, "/", nil, "")
		if err != nil || status != http.StatusOK || body != "hi" {
			return errors.Join(err, errNotYet)
		}
		return nil
	})
	endpoint, err := s.Endpoint(t.Context(), one.ID, int(other), "use_server_proxy=true")
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(endpoint.Endpoint, "/proxy/44772/proxy/"+strconv.Itoa(int(other))), endpoint.Endpoint)
	status, body, err := s.Route(edge.Direct, one.ID, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"]).
		Read(t.Context(), http.MethodGet, "/proxy/"+strconv.Itoa(int(other))+"/", nil, "")
	require.NoError(t, err)
	require.Equal(t, "200 hi", fmt.Sprint(status, " ", body))

	// Nothing else of the machine is (threat row K2), this server least of all.
	_, own, _ := net.SplitHostPort(s.Addr)
	self, _ := strconv.Atoi(own)
	for _, port := range []int{self, int(other), 2019, 2375, 22, 8080} {
		for _, form := range edge.Forms {
			status, body, err := s.Route(form, one.ID, port, "").Read(t.Context(), http.MethodGet, "/", nil, "")
			require.NoError(t, err)
			require.Equal(t, http.StatusBadGateway, status, body)
			require.Contains(t, body, "BACKEND_CONNECTION_FAILED")
		}
	}
	// Nor can a sandbox take the server's own port (threat row K1).
	out, err := s.Route(edge.Direct, one.ID, 44772, oneToken).Command(t.Context(), "timeout 2 nc -l -p "+own+" </dev/null 2>&1; true")
	require.NoError(t, err)
	require.Contains(t, out, "in use")

	require.NoError(t, s.Stop())
	require.NoError(t, s.Start(t.Context()))
	check()
	require.NoError(t, s.Delete(t.Context(), one.ID))
	require.Equal(t, two.ID, whose(t, s.Route(edge.Direct, two.ID, 44772, twoToken)))
}

// A sandbox that takes the port of its neighbour's execd the moment it is free gets a
// challenge to see and nothing else: no request, no token.
func TestHostModeSandboxThatTakesANeighboursPort(t *testing.T) {
	s := onHost(t)
	victim, victimToken := create(t, s, request(s))
	thief, thiefToken := create(t, s, request(s))
	port := label(t, victim.ID, "opensandbox.io/execd-port")
	route, theirs := s.Route(edge.Direct, victim.ID, 44772, victimToken), s.Route(edge.Direct, thief.ID, 44772, thiefToken)

	_, err := theirs.Command(t.Context(), `printf '#!/bin/sh\nwhile read -r -t 2 line; do echo "$line" >> /tmp/hits; done\n' > /tmp/hit; chmod +x /tmp/hit
		(until nc -ll -p `+port+` -e /tmp/hit; do :; done) </dev/null >/dev/null 2>&1 &`)
	require.NoError(t, err)
	require.Equal(t, victim.ID, whose(t, route))
	// Its execd ends, and the thief is quicker than whoever starts it again.
	initial := mainProcess(t, victim.ID)
	require.NoError(t, unix.Kill(initial, unix.SIGSTOP))
	docker(t, "exec", "sandbox-"+victim.ID, "killall", "-9", "execd")
	eventually(t, func() error {
		out, err := theirs.Command(t.Context(), "cat /proc/net/tcp /proc/net/tcp6")
		if err != nil {
			return err
		}
		if !listensFor(out, port) {
			return errNotYet
		}
		return nil
	})
	require.NoError(t, unix.Kill(initial, unix.SIGCONT))
	for range 20 {
		_, err := route.Command(t.Context(), "echo secret")
		require.ErrorContains(t, err, "SANDBOX_NOT_READY")
	}
	hits, err := theirs.Command(t.Context(), "cat /tmp/hits")
	require.NoError(t, err)
	require.Contains(t, hits, "Opensandbox-Execd-Challenge", "the thief was asked, and could not answer")
	require.NotContains(t, hits, victimToken)
	require.NotContains(t, hits, "/command")
	require.NotContains(t, strings.ToLower(hits), "x-execd-access-token")

	// Once the port is free again, the sandbox is back without anybody's doing.
	require.NoError(t, s.Delete(t.Context(), thief.ID))
	eventually(t, func() error {
		_, err := route.Command(t.Context(), "true")
		return err
	})
	require.Equal(t, victim.ID, whose(t, route))
}

// mainProcess is the sandbox's init, by the number it has here.
func mainProcess(t *testing.T, id string) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "inspect", "-f", "{{.State.Pid}}", "sandbox-"+id).Output()
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(t, err)
	require.Greater(t, pid, 1)
	return pid
}

func label(t *testing.T, id, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "inspect", "-f", `{{index .Config.Labels "`+name+`"}}`, "sandbox-"+id).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// listensFor tells whether the tables of sockets show a listener on the port.
func listensFor(table, port string) bool {
	n, _ := strconv.Atoi(port)
	return regexp.MustCompile(fmt.Sprintf(`:%04X 0+:0000 0A`, n)).MatchString(table)
}
