package address

import (
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/route"
)

// Mode is the form of a gateway's routes.
type Mode string

// The gateway's route modes, as in the configuration.
const (
	Wildcard Mode = "wildcard"
	URI      Mode = "uri"
	Header   Mode = "header"
)

// Gateway is a configured gateway: its address is handed out instead of the server's own.
type Gateway struct {
	Mode    Mode
	Address string // "*.sandbox.example.com", "gw.example.com:8443", "gw.example.com/sbx"
	// PublicPort is the port clients reach the gateway on; 0 = the scheme's own, or the
	// one in Address.
	PublicPort uint16
}

// Config is what answers are made from.
type Config struct {
	// EIP is server.eip: the public address of this server, which may carry a scheme,
	// a port and a path. Empty = the request's Host.
	EIP string
	// ServerHost is server.host; it is always an accepted Host.
	ServerHost string
	// PublicHosts are the further hosts this server may be called by, without port.
	// Empty = any (threat C5: then the caller chooses what its answer says).
	PublicHosts []string
	// Gateway is nil in direct mode.
	Gateway *Gateway
	// PublishedHost is the host, without port, on which ports published by the container
	// engine are reached from outside. Empty = such ports are never handed out, because
	// they are there for this server's own use; set it when the operator asked for
	// published ports or adopts sandboxes that have them (contract 02 §7.3).
	PublishedHost string
}

// Base is what the server's own routes start with, host[:port][/path]: the eip, or
// the host that the request named, if it may be named.
func (c Config) Base(requestHost string) (string, error) {
	if eip := bare(c.EIP); eip != "" {
		return eip, nil
	}
	host, ok := route.ParseAuthority(requestHost)
	if !ok {
		return "", apierror.New(http.StatusBadRequest, "SANDBOX::INVALID_PARAMETER",
			"The request's Host header is not a host name or address.")
	}
	if !c.accepts(host) {
		return "", apierror.New(http.StatusMisdirectedRequest, "GENERAL::MISDIRECTED_REQUEST",
			"This server is not configured to be reached by that host; see server.public_hosts.")
	}
	return requestHost, nil
}

// accepts tells whether a host is one of ours.
func (c Config) accepts(host route.Authority) bool {
	if len(c.PublicHosts) == 0 || host.IsLoopback() {
		return true
	}
	for _, known := range append([]string{c.ServerHost}, c.PublicHosts...) {
		if a, ok := route.ParseHost(known); ok && a.Host == host.Host {
			return true
		}
	}
	return false
}

// bare removes what may surround an address: spaces, the scheme, trailing slashes.
func bare(address string) string {
	return strings.TrimRight(route.TrimScheme(strings.TrimSpace(address)), "/")
}
