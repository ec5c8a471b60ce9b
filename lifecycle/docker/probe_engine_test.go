//go:build docker

package docker

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	dockernetwork "github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
)

func hostNetworked() *container.HostConfig {
	return &container.HostConfig{NetworkMode: networkHost, PortBindings: nat.PortMap{}}
}

func requireReachable(t *testing.T, r *Runtime, want float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.Metrics())
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "opensandbox_runtime_addresses_reachable" {
			require.InDelta(t, want, family.GetMetric()[0].GetGauge().GetValue(), 0)
			return
		}
	}
	t.Fatal("the outcome is in no metric")
}

func TestReachableAddressesPublishNothing(t *testing.T) {
	cli := engineClient(t)
	r := open(t, func(o *Options) { o.Reach = ReachAuto })
	var wg sync.WaitGroup
	for range 3 { // whoever creates first waits for the one probe
		wg.Go(func() {
			in, err := r.Create(t.Context(), spec(uuid.NewString()))
			if err != nil {
				t.Error(err)
				return
			}
			if !in.Address.IsValid() || len(in.Published) > 0 {
				t.Errorf("dialled at %v and %v", in.Address, in.Published)
			}
		})
	}
	wg.Wait()
	requireReachable(t, r, 1)
	require.NoError(t, r.findReach(t.Context()))
	left, err := cli.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", LabelAuxiliary+"="+auxiliaryExecd), filters.Arg("label", LabelInstance+"="+r.opts.Instance))})
	require.NoError(t, err)
	require.Empty(t, left, "the probe's container is left")
}

// inNamespace is set in the copy of the test binary that runs in a network of its own, to
// the address of the engine's host there.
const inNamespace = "_EDGE_TEST_HOST_ADDRESS"

// The engine forwards nothing from other networks to its own, so a server there is in the
// place of one that is in a container, or beside an engine in a virtual machine.
func TestServerOnAnotherNetworkUsesPublishedPorts(t *testing.T) {
	if host := os.Getenv(inNamespace); host != "" {
		publishesFor(t, netip.MustParseAddr(host))
		return
	}
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		t.Skip("SKIPPED: making a network namespace needs root and the ip command")
	}
	id := uuid.New()
	name, outer, subnet := "edge-"+id.String()[:6], "ve"+id.String()[:6], fmt.Sprintf("10.214.%d.", id[0])
	setUp := func(args ...string) {
		out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput()
		require.NoError(t, err, "ip %v: %s", args, out)
	}
	setUp("netns", "add", name)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	setUp("link", "add", outer, "type", "veth", "peer", "name", "inner", "netns", name)
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", outer).Run() })
	setUp("address", "add", subnet+"1/30", "dev", outer)
	setUp("link", "set", outer, "up")
	setUp("-n", name, "address", "add", subnet+"2/30", "dev", "inner")
	setUp("-n", name, "link", "set", "inner", "up")
	setUp("-n", name, "link", "set", "lo", "up")
	setUp("-n", name, "route", "add", "default", "via", subnet+"1")

	self, err := os.Executable()
	require.NoError(t, err)
	inside := exec.CommandContext(t.Context(), "ip", "netns", "exec", name, self, "-test.run", "^"+t.Name()+"$", "-test.v")
	inside.Env = append(os.Environ(), inNamespace+"="+subnet+"1")
	out, err := inside.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name(), "nothing ran in the namespace")
}

func publishesFor(t *testing.T, host netip.Addr) {
	r := open(t, func(o *Options) { o.Reach, o.PublishAddress = ReachAuto, host })
	s := spec(uuid.NewString())
	s.Entrypoint = []string{"/usr/bin/demo-web"}
	in, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	requireReachable(t, r, 0)
	require.False(t, in.Address.IsValid())
	require.Equal(t, host, in.Published[8080].Addr())
	requireAnswers(t, "http://"+in.Published[8080].String()+"/healthz")
	require.NoError(t, lifecycle.NewProber().Ping(t.Context(), lifecycle.Daemon{Address: in.Published[44772]}))
	require.NoError(t, r.Delete(t.Context(), s.ID))
}

func TestAssignedPortsAreReadBack(t *testing.T) {
	cli := engineClient(t)
	for _, at := range []string{"127.0.0.1", "::1", "0.0.0.0"} {
		t.Run(at, func(t *testing.T) {
			address := netip.MustParseAddr(at)
			if address.Is6() && !hasIPv6() {
				t.Skip("SKIPPED: this machine has no IPv6")
			}
			r := open(t, func(o *Options) {
				o.Reach, o.PublishAddress, o.Ports = ReachPublished, address, hostport.Range{Min: 42000, Max: 42999}
			})
			s := spec(uuid.NewString())
			s.Entrypoint = []string{"/usr/bin/demo-web"}
			in, err := r.Create(t.Context(), s)
			require.NoError(t, err)
			require.False(t, in.Address.IsValid(), "it cannot be reached there")
			require.Len(t, in.Published, 2)
			c, err := cli.ContainerInspect(t.Context(), in.BackendID)
			require.NoError(t, err)
			require.Empty(t, c.Config.Labels[LabelProxyPort], "labels are for ports that clients are told")
			for _, to := range in.Published {
				require.GreaterOrEqual(t, to.Port(), uint16(42000))
				require.LessOrEqual(t, to.Port(), uint16(42999))
				if !address.IsUnspecified() {
					require.Equal(t, address, to.Addr())
				}
			}
			requireAnswers(t, "http://"+in.Published[8080].String()+"/healthz")
			listed, ok := find(t, r, s.ID)
			require.True(t, ok)
			require.Equal(t, in.Published, listed.Published)
			require.False(t, listed.Address.IsValid())
			require.NoError(t, r.Delete(t.Context(), s.ID))
		})
	}
}

func hasIPv6() bool {
	text, err := os.ReadFile("/proc/net/if_inet6")
	return err == nil && strings.Contains(string(text), "00000000000000000000000000000001")
}

// Concurrent creates get ports of their own (contract 02 §22).
func TestPublishedPortsDoNotCollide(t *testing.T) {
	r := open(t, func(o *Options) { o.Publish = true })
	const n = 8
	ports := make([]netip.AddrPort, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			in, err := r.Create(t.Context(), spec(uuid.NewString()))
			if err != nil {
				t.Error(err)
				return
			}
			ports[i] = in.Published[44772]
		})
	}
	wg.Wait()
	seen := map[netip.AddrPort]bool{}
	for _, port := range ports {
		require.False(t, seen[port])
		seen[port] = true
	}
}

// Every try draws fresh ports, and the last failure is told as what it is.
func TestTakenPortsAreGivenUp(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host, o.Publish = proxy.Host(), true })
	proxy.Reset()
	for n := range portAttempts {
		proxy.Fault(enginetest.Fault{
			Match: enginetest.StartContainer, Nth: n + 1, Do: enginetest.Answer, Status: http.StatusInternalServerError,
			Body: `{"message":"Ports are not available: listen tcp 127.0.0.1:40001: bind: An attempt was made to access a socket in a way forbidden by its access permissions."}`,
		})
	}
	s := spec(uuid.NewString())
	_, err := r.Create(t.Context(), s)
	requireCode(t, err, http.StatusInternalServerError, "DOCKER::SANDBOX_START_FAILED")
	require.Len(t, proxy.Requests(enginetest.CreateContainer), portAttempts)
	require.NoError(t, r.Delete(t.Context(), s.ID))
}

// A sandbox on a network with IPv6 has both addresses, and is dialled at its IPv4 one,
// where execd listens (contract 06 §1).
func TestNetworkWithIPv6(t *testing.T) {
	cli := engineClient(t)
	name := "edge-six-" + uuid.NewString()[:8]
	six := true
	_, err := cli.NetworkCreate(t.Context(), name, dockernetwork.CreateOptions{
		EnableIPv6: &six, IPAM: &dockernetwork.IPAM{Config: []dockernetwork.IPAMConfig{{Subnet: "fd12:" + name[len(name)-4:] + "::/64"}}},
	})
	if err != nil {
		t.Skipf("SKIPPED: this engine makes no IPv6 network: %v", err)
	}
	t.Cleanup(func() { _ = cli.NetworkRemove(context.Background(), name) })
	r := open(t, func(o *Options) { o.NetworkMode = name })
	s := spec(uuid.NewString())
	s.Entrypoint = []string{"/usr/bin/demo-web"}
	in, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	c, err := cli.ContainerInspect(t.Context(), in.BackendID)
	require.NoError(t, err)
	ends := c.NetworkSettings.Networks[name]
	require.Equal(t, ends.IPAddress, in.Address.String())
	v6, err := netip.ParseAddr(ends.GlobalIPv6Address)
	require.NoError(t, err)
	requireAnswers(t, "http://"+netip.AddrPortFrom(in.Address, 8080).String()+"/healthz")
	requireAnswers(t, "http://"+netip.AddrPortFrom(v6, 8080).String()+"/healthz")

	// With nothing but an IPv6 address, that is the one.
	ends.IPAddress = ""
	require.Equal(t, v6, r.address(name, map[string]*dockernetwork.EndpointSettings{name: ends}))
	require.NoError(t, r.Delete(t.Context(), s.ID))
}
