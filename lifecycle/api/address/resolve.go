package address

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// maxLabel is the longest DNS label in octets.
const maxLabel = 63

// Target is one port of one sandbox, as one request asks for it.
type Target struct {
	SandboxID string
	Port      uint16
	Base      string // from Config.Base
	Prefix    string // mount the request came through, "" or "/v1"; an eip leaves it out
	// Published are the host addresses of the sandbox's published ports, if any.
	Published map[uint16]netip.AddrPort
	// SharesHost tells that its ports are the host's own, and Published are execd's and those
	// that this server dials.
	SharesHost bool
	// ThroughExecd tells that this server reaches the sandbox's execd and not this port.
	ThroughExecd bool
	// Secured tells that the sandbox demands access verification, which only a way through
	// this server can give.
	Secured bool
	// Expires and Signature make the route a signed one; both or none, and not ViaServer.
	Expires, Signature string
	// Via chooses between the configured address and the server's own proxy route.
	Via Via
}

// Via is how a client wants to reach the sandbox.
type Via uint8

// The ways. The zero value leaves the choice to the configuration.
const (
	ViaConfigured Via = iota
	ViaServer         // use_server_proxy=true
)

// Endpoint is an address without scheme or trailing slash, and the headers that
// every request to it must carry.
type Endpoint struct {
	Value   string
	Headers map[string]string
	// ToExecd tells that requests reach execd itself, which may demand its token.
	ToExecd bool
}

// Resolve writes the endpoint of a target.
func (c Config) Resolve(t Target) (Endpoint, error) {
	if bare(c.EIP) != "" {
		t.Prefix = "" // an eip may have a path, and says all that stands before a route
	}
	if t.Via == ViaConfigured && !t.Secured && c.Gateway == nil {
		if value, throughExecd, ok := c.published(t); ok {
			return Endpoint{Value: value, ToExecd: throughExecd || t.Port == wire.PortExecd}, nil
		}
	}
	if t.ThroughExecd && t.Signature == "" { // the signature of one port must not open execd
		forwarded := "/proxy/" + t.port()
		t.Port, t.ThroughExecd = wire.PortExecd, false
		e, err := c.Resolve(t)
		e.Value += forwarded
		return e, err
	}
	e := Endpoint{Value: t.proxyRoute(), ToExecd: t.Port == wire.PortExecd}
	if c.Gateway != nil {
		e.Headers = c.Gateway.headers(t)
		if t.Via == ViaServer {
			return e, nil
		}
		value, err := c.Gateway.address(t)
		e.Value = value
		return e, err
	}
	return e, nil
}

// proxyRoute keeps the mount prefix, because deployments may route only /v1 to this
// server. Under an eip there is none (contract 04 D11).
func (t Target) proxyRoute() string {
	return t.Base + t.Prefix + "/sandboxes/" + url.PathEscape(t.SandboxID) + "/proxy/" + t.port()
}

func (t Target) port() string { return strconv.Itoa(int(t.Port)) }

// token is the route of a target in one word, as host labels and headers carry it.
func (t Target) token() string {
	if t.Signature == "" {
		return t.SandboxID + "-" + t.port()
	}
	return t.SandboxID + "-" + t.port() + "-" + t.Expires + "-" + t.Signature
}

// path is the route of a target below a gateway's address.
func (t Target) path() string {
	p := "/" + url.PathEscape(t.SandboxID) + "/" + t.port()
	if t.Signature != "" {
		p += "/" + t.Expires + "/" + t.Signature
	}
	return p
}

// published writes the form of contract 02 §7.3 when the engine published ports and
// they are meant for clients.
func (c Config) published(t Target) (value string, throughExecd, ok bool) {
	if c.PublishedHost == "" {
		return "", false, false
	}
	if t.SharesHost && t.Port != wire.PortExecd {
		return c.hostPort(t.Port), false, len(t.Published) > 0
	}
	if web, found := t.Published[wire.PortWeb]; found && t.Port == wire.PortWeb {
		return c.hostPort(web.Port()), false, true
	}
	execd, found := t.Published[wire.PortExecd]
	switch {
	case !found:
		return "", false, false
	case t.SharesHost:
		return c.hostPort(execd.Port()), true, true
	}
	return c.hostPort(execd.Port()) + "/proxy/" + t.port(), true, true
}

func (c Config) hostPort(port uint16) string {
	return net.JoinHostPort(strings.Trim(bare(c.PublishedHost), "[]"), strconv.Itoa(int(port)))
}

// address writes the gateway's address of a target.
func (g *Gateway) address(t Target) (string, error) {
	switch g.Mode {
	case Wildcard:
		label := t.token()
		switch {
		case len(label) <= maxLabel:
		case t.Signature != "":
			return "", apierror.New(http.StatusBadRequest, "SANDBOX::INVALID_PARAMETER",
				"The sandbox id, port, expiry and signature make a host label longer than %d octets; leave expires out.", maxLabel)
		default:
			return "", apierror.New(http.StatusBadRequest, "SANDBOX::INVALID_PARAMETER",
				"The sandbox id and port make a host label longer than %d octets; use use_server_proxy=true.", maxLabel)
		}
		return label + "." + g.at(strings.TrimPrefix(bare(g.Address), "*.")), nil
	case URI:
		return g.at(bare(g.Address)) + t.path(), nil
	default:
		return g.at(bare(g.Address)), nil
	}
}

// headers are the same for every way to the sandbox: clients send them to all.
func (g *Gateway) headers(t Target) map[string]string {
	if g.Mode != Header {
		return nil
	}
	return map[string]string{wire.DisplayIngressTo: t.token()}
}

// at puts the public port behind the host part of an address that names none.
func (g *Gateway) at(address string) string {
	host, path, hasPath := strings.Cut(address, "/")
	if g.PublicPort != 0 && strings.LastIndexByte(host, ':') <= strings.LastIndexByte(host, ']') {
		host += ":" + strconv.Itoa(int(g.PublicPort))
	}
	if hasPath {
		return host + "/" + path
	}
	return host
}
