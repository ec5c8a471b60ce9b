package docker

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// portAttempts is how often a create is tried when its host ports turn out taken.
const portAttempts = 4

// The two ports the contract publishes, with the label that names each host port.
var publishedPorts = []struct{ port, label string }{
	{strconv.Itoa(int(wire.PortExecd)) + "/tcp", LabelProxyPort},
	{strconv.Itoa(int(wire.PortWeb)) + "/tcp", LabelHTTPPort},
}

// hostPorts are the host ports of one sandbox. The labels must name them, and labels can
// only be written before the engine would assign ports; so free ones are found by
// binding them and held until the container is about to start.
type hostPorts struct {
	address netip.Addr
	ports   []uint16
	held    []net.Listener
}

// reservePorts returns nil when nothing is published.
func (r *Runtime) reservePorts() (*hostPorts, error) {
	if !r.opts.Publish {
		return nil, nil
	}
	h := &hostPorts{address: loopback}
	for range publishedPorts {
		l, err := net.Listen("tcp", netip.AddrPortFrom(h.address, 0).String())
		if err != nil {
			h.release()
			return nil, apierror.New(http.StatusInternalServerError, codeStartFailed,
				"No free host port could be found on the address of docker.publish.").Because(err)
		}
		h.held = append(h.held, l)
		h.ports = append(h.ports, uint16(l.Addr().(*net.TCPAddr).Port))
	}
	return h, nil
}

// release gives the ports to the engine.
func (h *hostPorts) release() {
	if h == nil {
		return
	}
	for _, l := range h.held {
		_ = l.Close()
	}
	h.held = nil
}

// apply writes bindings and labels.
func (h *hostPorts) apply(config *container.Config, host *container.HostConfig) {
	if h == nil {
		return
	}
	config.ExposedPorts, host.PortBindings = nat.PortSet{}, nat.PortMap{}
	for i, p := range publishedPorts {
		port := nat.Port(p.port)
		config.ExposedPorts[port] = struct{}{}
		host.PortBindings[port] = []nat.PortBinding{{HostIP: h.address.String(), HostPort: formatPort(h.ports[i])}}
		config.Labels[p.label] = formatPort(h.ports[i])
	}
}

// taken reports a start that failed because somebody else has one of the ports.
func (h *hostPorts) taken(err error) bool {
	if h == nil || err == nil {
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
