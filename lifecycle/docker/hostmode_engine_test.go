//go:build docker

package docker

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// daemonOf is the execd that a sandbox must turn out to have.
func daemonOf(in lifecycle.Instance, token string) lifecycle.Daemon {
	sum := sha256.Sum256([]byte(token))
	return lifecycle.Daemon{Address: in.Published[wire.PortExecd], MustProve: true, SandboxID: in.ID, TokenSum: &sum}
}

func withToken(s lifecycle.Spec, token string) lifecycle.Spec {
	sum := sha256.Sum256([]byte(token))
	s.ExecdTokenSHA256 = hex.EncodeToString(sum[:])
	return s
}

// Sandboxes side by side on the host's network, made at the same time (contract 02 §22).
func TestHostModeSandboxesHaveAnExecdEach(t *testing.T) {
	cli := engineClient(t)
	r := open(t, func(o *Options) { o.NetworkMode = networkHost })
	made := make([]lifecycle.Instance, 3)
	errs := make([]error, len(made))
	var wg sync.WaitGroup
	for i := range made {
		wg.Go(func() {
			id := uuid.NewString()
			made[i], errs[i] = r.Create(t.Context(), withToken(spec(id), id))
		})
	}
	wg.Wait()
	prober := lifecycle.NewProber()
	seen := map[netip.AddrPort]bool{}
	for i, in := range made {
		require.NoError(t, errs[i])
		require.True(t, in.SharesHost)
		execd := in.Published[wire.PortExecd]
		require.False(t, seen[execd], "two sandboxes share an execd")
		seen[execd] = true
		require.Eventually(t, func() bool { return prober.Ping(t.Context(), daemonOf(in, in.ID)) == nil }, waitFor, tick)

		c, err := cli.ContainerInspect(t.Context(), in.BackendID)
		require.NoError(t, err)
		require.Equal(t, formatPort(execd.Port()), c.Config.Labels[LabelExecdPort])
		require.Contains(t, c.Config.Env, "OPENSANDBOX_EXECD_PORT="+formatPort(execd.Port()))
		require.Equal(t, "host", string(c.HostConfig.NetworkMode))
		require.Empty(t, c.HostConfig.PortBindings)
	}

	// A sandbox is never taken for its neighbour, not even by somebody who knows the id.
	foreign := daemonOf(made[0], made[0].ID)
	foreign.Address = made[1].Published[wire.PortExecd]
	require.ErrorContains(t, prober.Ping(t.Context(), foreign), "did not prove")

	// execd listens on loopback alone: nobody else can talk to it past the server.
	out, _ := run(t, cli, made[0].ID, "cat", "/proc/net/tcp")
	require.Contains(t, out, " 0100007F:"+hexPort(made[0].Published[wire.PortExecd].Port())+" 00000000:0000 0A")

	// A server that starts anew finds each of them where it was.
	again := open(t, func(o *Options) { o.NetworkMode, o.Instance = networkHost, r.opts.Instance })
	list, err := again.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, len(made))
	for _, in := range list {
		require.True(t, in.SharesHost)
		require.NoError(t, prober.Ping(t.Context(), daemonOf(in, in.ID)))
		inspected, err := again.Inspect(t.Context(), in.ID)
		require.NoError(t, err)
		require.Equal(t, in.Published, inspected.Published)
	}
	for _, in := range made {
		require.NoError(t, r.Delete(t.Context(), in.ID))
	}
}

func hexPort(port uint16) string {
	return strings.ToUpper(hex.EncodeToString([]byte{byte(port >> 8), byte(port)}))
}

// The reference's sandboxes all want the same port: who has it is not known.
func TestHostModeSandboxOfTheReferenceGetsNoForeignExecd(t *testing.T) {
	cli := engineClient(t)
	r := open(t, func(o *Options) { o.NetworkMode, o.Adopt = networkHost, AdoptUnclaimed })
	id := uuid.NewString()
	foreign(t, cli, "sandbox-"+id, map[string]string{LabelID: id, LabelManualCleanup: "true"}, hostNetworked())
	in, err := r.Inspect(t.Context(), id)
	require.NoError(t, err)
	require.True(t, in.SharesHost)
	require.Empty(t, in.Published)
	require.NoError(t, r.Delete(t.Context(), id))
}

func TestHostModeNeedsAFreePort(t *testing.T) {
	var log bytes.Buffer
	r := open(t, func(o *Options) { o.NetworkMode, o.Logger = networkHost, slog.New(slog.NewTextHandler(&log, nil)) })
	require.Contains(t, log.String(), "docker.network_mode", "a start on the host's network is a warning (threat row K1)")
	h, err := r.ports.Draw(r.opts.Ports, loopback, 1)
	require.NoError(t, err)
	defer h.Release()
	r.opts.Ports.Min, r.opts.Ports.Max = h.Ports[0], h.Ports[0]
	s := spec(uuid.NewString())
	_, err = r.Create(t.Context(), s)
	typed := requireCode(t, err, http.StatusInternalServerError, "DOCKER::SANDBOX_START_FAILED")
	require.Contains(t, typed.Message, "docker.port_range_min")
	_, err = r.Inspect(t.Context(), s.ID)
	require.ErrorIs(t, err, lifecycle.ErrNotFound)
}
