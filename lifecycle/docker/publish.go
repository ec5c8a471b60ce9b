package docker

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
)

// portAttempts is how often a create is tried when its host ports turn out taken.
const portAttempts = 4

// The two ports the contract publishes, with the label that names each host port.
var publishedPorts = []struct{ port, label string }{
	{strconv.Itoa(int(wire.PortExecd)) + "/tcp", LabelProxyPort},
	{strconv.Itoa(int(wire.PortWeb)) + "/tcp", LabelHTTPPort},
}

// hostPorts are the ports of the engine's host that one create asks for.
//
// Ports that clients are told must be in labels, and labels can only be written before the
// engine would assign ports: such ports are drawn here, held until the container is about
// to start, and drawn anew when somebody else was quicker. Ports that only this server
// dials need no label. The engine assigns them, which never collides, and inspect tells.
type hostPorts struct {
	hold     *hostport.Hold // nil = the engine assigns, or nothing is published
	private  bool           // the one port of hold is execd's own, on the host's network
	assigned string         // the range to assign from; "" = nothing is assigned
	address  netip.Addr     // what bindings are made on, or execd listens on
}

// choosePorts decides what a create publishes. viaPublished says that this server cannot
// reach sandboxes at their addresses.
func (r *Runtime) choosePorts(viaPublished bool) (*hostPorts, error) {
	h := &hostPorts{address: r.opts.PublishAddress}
	n := 0
	switch {
	case r.opts.NetworkMode == networkHost:
		h.private, h.address, n = true, r.execdAddress(), 1
	case r.opts.Publish:
		n = len(publishedPorts)
	case viaPublished:
		h.assigned = r.opts.Ports.String()
	}
	if n == 0 {
		return h, nil
	}
	var err error
	if h.hold, err = r.ports.Draw(r.opts.Ports, h.address, n); err != nil {
		return nil, apierror.New(http.StatusInternalServerError, codeStartFailed,
			"No free host port was found on %s within docker.port_range_min and docker.port_range_max.", h.address).Because(err)
	}
	return h, nil
}

// release gives the ports to whoever is to listen there.
func (h *hostPorts) release() {
	if h != nil {
		h.hold.Release()
	}
}

// apply writes bindings, labels and variables. The variables are written in any case,
// blank where they have nothing to say: an image may carry those of the sandbox it was
// committed from.
func (h *hostPorts) apply(config *container.Config, host *container.HostConfig) {
	var execdPort, execdHost string
	switch {
	case h.private:
		execdPort, execdHost = formatPort(h.hold.Ports[0]), h.address.String()
		config.Labels[LabelExecdPort] = execdPort
	case h.hold != nil || h.assigned != "":
		config.ExposedPorts, host.PortBindings = nat.PortSet{}, nat.PortMap{}
		for i, p := range publishedPorts {
			binding := nat.PortBinding{HostIP: h.address.String(), HostPort: h.assigned}
			if h.hold != nil {
				binding.HostPort = formatPort(h.hold.Ports[i])
				config.Labels[p.label] = binding.HostPort
			}
			config.ExposedPorts[nat.Port(p.port)] = struct{}{}
			host.PortBindings[nat.Port(p.port)] = []nat.PortBinding{binding}
		}
	}
	config.Env = append(config.Env, wire.EnvExecdPort+"="+execdPort, wire.EnvExecdHost+"="+execdHost)
}

// taken reports a start that failed because somebody else has one of the ports.
func (h *hostPorts) taken(err error) bool {
	if h == nil || h.hold == nil && h.assigned == "" || err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	for _, sign := range []string{"already allocated", "address already in use", "not available", "forbidden by its access permissions", "permission denied"} {
		if strings.Contains(text, sign) && strings.Contains(text, "port") {
			return true
		}
	}
	return false
}

// parsePort reads a port number the engine or a label gave.
func parsePort(text string) (uint16, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), err == nil && n != 0
}
