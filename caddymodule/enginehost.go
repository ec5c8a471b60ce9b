package caddymodule

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle/reach"
)

// hostLookup bounds the search for docker.host_ip.
const hostLookup = 5 * time.Second

// engineHost is where this process finds the engine's host when it runs in a container of
// its own, by docker.host_ip; invalid when it does not, or nothing is known.
func engineHost(ctx context.Context, hostIP string, contained bool, log *slog.Logger) netip.Addr {
	if !contained || hostIP == "" {
		return netip.Addr{}
	}
	if addr, err := netip.ParseAddr(hostIP); err == nil {
		return addr
	}
	ctx, cancel := context.WithTimeout(ctx, hostLookup)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", hostIP)
	if err != nil || len(found) == 0 || !reach.Address(found[0]) {
		log.Warn("docker.host_ip leads nowhere; ports of the engine's host are dialled on loopback", "host_ip", hostIP, "found", found, "error", err)
		return netip.Addr{}
	}
	return found[0].Unmap()
}

// hostPorts are the ports of the host that may be a sandbox's: those of the configuration
// without this server's own listeners (threat row K2).
func hostPorts(c *config.Config) []uint16 {
	own := []int{c.Server.Port}
	if _, text, err := net.SplitHostPort(c.Metrics.Listen); err == nil {
		if port, err := strconv.Atoi(text); err == nil {
			own = append(own, port)
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Docker.HostModePorts), func(port uint16) bool { return slices.Contains(own, int(port)) })
}
