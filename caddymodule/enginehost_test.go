package caddymodule

import (
	"log/slog"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
)

func TestEngineHost(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	for _, c := range []struct {
		hostIP    string
		contained bool
		want      string
	}{
		{"172.17.0.1", true, "172.17.0.1"},
		{"fd00::1", true, "fd00::1"},
		{"172.17.0.1", false, ""},
		{"", true, ""},
		{"localhost", true, "127.0.0.1"},
		{"no-such-host.invalid", true, ""},
	} {
		want, _ := netip.ParseAddr(c.want)
		require.Equal(t, want, engineHost(t.Context(), c.hostIP, c.contained, quiet), "%+v", c)
	}
}

func TestOwnListenersAreNoPortsOfSandboxes(t *testing.T) {
	c := &config.Config{}
	c.Server.Port, c.Metrics.Listen = 8080, "127.0.0.1:9464"
	c.Docker.HostModePorts = []uint16{8080, 3000, 9464}
	require.Equal(t, []uint16{3000}, hostPorts(c))
	require.Len(t, c.Docker.HostModePorts, 3, "the configuration stays as it was read")
}
