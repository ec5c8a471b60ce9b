package route

import (
	"fmt"
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Settings say which hosts and route forms are served. Proxy routes
// (/sandboxes/{id}/proxy/{port}) are always on, on API hosts.
type Settings struct {
	// APIHosts are the hosts of the lifecycle API, without ports. When set, other hosts
	// are answered 421 (threat row C5), loopback names and addresses excepted. Empty = every
	// host that is not a sandbox host.
	APIHosts []string
	// GatewayHosts serve header and uri routes and no API, unless they are API hosts too.
	// They only count when APIHosts is set.
	GatewayHosts []string
	// WildcardBase turns on host routes {id}-{port}.base; with or without a leading "*.".
	// Sandbox labels without any domain are then accepted too (contract 04 D9), so an API
	// host with a name like "edge-1" must be listed in APIHosts.
	WildcardBase string
	// URI turns on routes /{id}/{port}/…, below URIPrefix ("" or "/some/path").
	URI       bool
	URIPrefix string
	// Header turns on routes by routing header.
	Header bool
}

// Table is a compiled set of routes. It is immutable and safe for concurrent use.
type Table struct {
	apiHosts     map[string]struct{}
	gatewayHosts map[string]struct{}
	wildcardBase string // "sandbox.example.com"; "" = off
	wildcardTail string // "." + wildcardBase
	uri          bool
	uriPrefix    string
	header       bool
}

// NewTable compiles settings. Its errors are for operators and name the value.
func NewTable(s Settings) (*Table, error) {
	t := &Table{uri: s.URI, header: s.Header}
	var err error
	if t.apiHosts, err = hostSet(s.APIHosts); err != nil {
		return nil, fmt.Errorf("API hosts: %w", err)
	}
	if t.gatewayHosts, err = hostSet(s.GatewayHosts); err != nil {
		return nil, fmt.Errorf("gateway hosts: %w", err)
	}
	if s.WildcardBase != "" {
		a, ok := ParseAuthority(strings.TrimPrefix(s.WildcardBase, "*."))
		if !ok || a.Port != "" || a.IsIP() {
			return nil, fmt.Errorf("wildcard base %q is not a domain name without a port", s.WildcardBase)
		}
		t.wildcardBase, t.wildcardTail = a.Host, "."+a.Host
	}
	if t.uriPrefix, err = cleanPrefix(s.URIPrefix); err != nil {
		return nil, fmt.Errorf("uri prefix %q: %w", s.URIPrefix, err)
	}
	for host := range t.apiHosts {
		if strings.HasSuffix(host, t.wildcardTail) && t.wildcardTail != "" {
			return nil, fmt.Errorf("API host %q lies under the wildcard base %q, where only sandboxes are served", host, t.wildcardBase)
		}
	}
	return t, nil
}

// RoutesByHeader tells whether the routing headers may decide about a request on a host
// that serves several sandboxes, so that its answer depends on them.
func (t *Table) RoutesByHeader() bool { return t.header }

func hostSet(hosts []string) (map[string]struct{}, error) {
	set := make(map[string]struct{}, len(hosts))
	for _, h := range hosts {
		a, ok := ParseHost(h)
		if !ok {
			return nil, fmt.Errorf("%q is not a host name or address", h)
		}
		set[a.Host] = struct{}{}
	}
	return set, nil
}

func cleanPrefix(prefix string) (string, error) {
	prefix = strings.TrimRight(prefix, "/")
	if prefix == "" {
		return "", nil
	}
	if !legalTarget(prefix) || !unambiguous(prefix) || strings.Contains(prefix, "//") {
		return "", fmt.Errorf("must be a plain path that begins with a slash")
	}
	if first, _ := nextSegment(prefix); wire.ReservedRoot(first) {
		return "", fmt.Errorf("%q is a path of the server's own", first)
	}
	return prefix, nil
}

// hostKind is what may be served on a host.
type hostKind uint8

const (
	unknownHost hostKind = iota
	apiHost              // the API, and sandbox routes of every form but wildcard
	gatewayHost          // header and uri routes only
	sandboxHost          // one sandbox and nothing else
)

// kind classifies a host; for sandbox hosts it also returns the label of the route.
func (t *Table) kind(a Authority) (kind hostKind, label string) {
	if t.wildcardTail != "" {
		if label, ok := strings.CutSuffix(a.Host, t.wildcardTail); ok {
			return sandboxHost, label
		}
	}
	if _, ok := t.apiHosts[a.Host]; ok {
		return apiHost, ""
	}
	if t.wildcardTail != "" && strings.IndexByte(a.Host, '.') < 0 {
		if _, ok := parseToken(a.Host); ok {
			return sandboxHost, a.Host
		}
	}
	if len(t.apiHosts) == 0 || a.IsLoopback() {
		return apiHost, ""
	}
	if _, ok := t.gatewayHosts[a.Host]; ok {
		return gatewayHost, ""
	}
	return unknownHost, ""
}

// IsNamedHost reports whether the operator named this host for the API or the gateway.
func (t *Table) IsNamedHost(a Authority) bool {
	_, api := t.apiHosts[a.Host]
	_, gateway := t.gatewayHosts[a.Host]
	return api || gateway
}
