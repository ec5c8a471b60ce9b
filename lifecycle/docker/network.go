package docker

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/opensandbox-edge/edge/apierror"
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

// takeHostNetwork admits one sandbox at a time to the host network, where every execd
// wants the same port and a second one's clients would reach the first (contract 02
// §7.4). The slot is held until release is called, so that two creates cannot both
// find the network free.
func (r *Runtime) takeHostNetwork(ctx context.Context) (release func(), err error) {
	select {
	case r.hostSlot <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	release = func() { <-r.hostSlot }

	call, cancel := r.call(ctx)
	defer cancel()
	// Whoever owns it: the port is taken all the same, so no instance filter here.
	found, err := r.engine.ContainerList(call, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", LabelID), filters.Arg("network", networkHost),
		filters.Arg("status", "created"), filters.Arg("status", "running"),
		filters.Arg("status", "paused"), filters.Arg("status", "restarting"),
	)})
	if err == nil && len(found) > 0 {
		err = apierror.New(http.StatusConflict, codeHostNetworkInUse,
			"Another sandbox uses the host network, which only one can have at a time; delete it first, or set docker.network_mode to \"bridge\".")
	}
	if err != nil {
		release()
		return nil, engineError(ctx, err, codeStartFailed, "checking the host network")
	}
	return release, nil
}

// address picks where a sandbox's ports are dialled from the networks the engine
// reports. Only an address a sandbox can have is accepted: anything else would let a
// route reach the host or its neighbours' metadata services.
func (r *Runtime) address(mode string, networks map[string]*network.EndpointSettings) netip.Addr {
	if mode == networkHost {
		return loopback
	}
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
			host = r.publishedHost()
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

// publishedHost is where ports are dialled that the engine reports for every address.
func (r *Runtime) publishedHost() netip.Addr {
	if r.engine.remote.IsValid() {
		return r.engine.remote
	}
	return loopback
}

// joined returns the container whose network a container shares; ok is false when it
// has one of its own.
func joined(mode string) (id string, ok bool) {
	return strings.CutPrefix(mode, "container:")
}
