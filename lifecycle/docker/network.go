package docker

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/reach"
)

const (
	networkHost   = "host"
	networkBridge = "bridge"
)

// userDefined reports a network that somebody created, other than the engine.
func userDefined(mode string) bool {
	return mode != networkHost && mode != networkBridge && mode != "default"
}

// warnOfHost says once per start what the host's network gives away (threat rows K1, K2):
// root in a sandbox can become any user there is, this server's too.
func (r *Runtime) warnOfHost() {
	r.log.Warn("sandboxes share the machine's network: a process in one reaches whatever listens on this machine, and can have this server's user id; "+
		"set docker.network_mode to \"bridge\" unless they need that", "uid", os.Getuid())
}

// checkNetwork is done once at start; a network removed later shows as a failed start
// of a sandbox, which startError names.
func (r *Runtime) checkNetwork(ctx context.Context) error {
	_, err := r.engine.NetworkInspect(ctx, r.opts.NetworkMode, network.InspectOptions{})
	if errdefs.IsNotFound(err) {
		return apierror.New(http.StatusServiceUnavailable, codeInitialization,
			"The network %q (docker.network_mode) does not exist; create it with `docker network create %s`.", r.opts.NetworkMode, r.opts.NetworkMode).Because(err)
	}
	return engineError(ctx, err, codeInitialization, "looking up the sandbox network")
}

// place says where the ports of a sandbox are dialled, from what the engine reports.
func (r *Runtime) place(in *lifecycle.Instance, mode string, networks map[string]*network.EndpointSettings, ports []container.Port, labels map[string]string) {
	if mode == networkHost {
		// Without the label it is a sandbox of the reference, whose execd has the one port that
		// all of them want. Which of them got it is not known, so none is led to it.
		in.SharesHost, in.Address = true, r.hostAddress()
		if port, known := parsePort(labels[LabelExecdPort]); known {
			in.Published = map[uint16]netip.AddrPort{wire.PortExecd: netip.AddrPortFrom(in.Address, port)}
		}
		return
	}
	in.Address, in.Published = r.address(mode, networks), r.published(ports)
	if len(in.Published) > 0 && r.viaPublished() {
		in.Address = netip.Addr{} // it cannot be reached there
	}
}

// address picks where a sandbox's ports are dialled from the networks the engine
// reports. Only an address a sandbox can have is accepted: anything else would let a
// route reach the host or its neighbours' metadata services.
func (r *Runtime) address(mode string, networks map[string]*network.EndpointSettings) netip.Addr {
	candidates := make([]*network.EndpointSettings, 0, len(networks)+1)
	if mode == "default" {
		mode = networkBridge
	}
	candidates = append(candidates, networks[mode])
	for name, n := range networks {
		if name != mode {
			candidates = append(candidates, n)
		}
	}
	for _, n := range candidates {
		if n == nil {
			continue
		}
		for _, text := range []string{n.IPAddress, n.GlobalIPv6Address} {
			if addr, err := netip.ParseAddr(text); err == nil && reach.Sandbox(addr) {
				return addr.Unmap()
			}
		}
	}
	return netip.Addr{}
}

// published turns the engine's bindings of one sandbox into dial addresses.
func (r *Runtime) published(ports []container.Port) map[uint16]netip.AddrPort {
	var out map[uint16]netip.AddrPort
	for _, p := range ports {
		if p.Type != "tcp" || p.PublicPort == 0 || p.PrivatePort == 0 {
			continue
		}
		host, err := netip.ParseAddr(p.IP)
		if err != nil {
			continue
		}
		host = host.Unmap()
		if host.IsUnspecified() {
			host = r.hostAddress()
		}
		if _, seen := out[p.PrivatePort]; seen && !host.Is4() {
			continue // the same port is reported for 0.0.0.0 and ::
		}
		if out == nil {
			out = make(map[uint16]netip.AddrPort)
		}
		out[p.PrivatePort] = netip.AddrPortFrom(host, p.PublicPort)
	}
	return out
}

// hostAddress is where ports of the engine's host are dialled that are open on every
// address of it.
func (r *Runtime) hostAddress() netip.Addr {
	switch {
	case r.engine.remote.IsValid():
		return r.engine.remote
	case r.opts.HostAddress.IsValid():
		return r.opts.HostAddress
	}
	return loopback
}

// execdAddress is what an execd listens on in the host's network: the one address that it
// is dialled at, so that nobody else is given the chance, unless clients are meant to.
func (r *Runtime) execdAddress() netip.Addr {
	if at := r.hostAddress(); at.Is4() && !r.opts.Publish {
		return at
	}
	return netip.IPv4Unspecified()
}

// joined returns the container whose network a container shares; ok is false when it
// has one of its own.
func joined(mode string) (id string, ok bool) {
	return strings.CutPrefix(mode, "container:")
}
