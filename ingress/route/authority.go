package route

import (
	"net/netip"
	"strings"
)

// maxHost is the longest DNS name in text form; maxLabel the longest of its labels.
const (
	maxHost  = 253
	maxLabel = 63
)

// Authority is a normalised host and port.
type Authority struct {
	Host string // lower case, no trailing dot, no brackets
	Port string // decimal without leading zeros; "" when none was given
}

// ParseAuthority normalises an authority: lower case, port split, one trailing dot
// off, IPv6 literals in canonical text without brackets. It refuses user information,
// empty or over-long labels and every byte that is no part of a DNS name.
// Names in lower case cost no allocation.
func ParseAuthority(s string) (Authority, bool) {
	if strings.HasPrefix(s, "[") {
		return parseIPv6(s)
	}
	host, port, hasPort := strings.Cut(s, ":")
	if hasPort && !validPort(port) {
		return Authority{}, false
	}
	host = strings.TrimSuffix(host, ".")
	if !validHost(host) {
		return Authority{}, false
	}
	return Authority{Host: strings.ToLower(host), Port: port}, true
}

func parseIPv6(s string) (Authority, bool) {
	literal, rest, ok := strings.Cut(s[1:], "]")
	if !ok {
		return Authority{}, false
	}
	port := ""
	if rest != "" {
		if rest[0] != ':' || !validPort(rest[1:]) {
			return Authority{}, false
		}
		port = rest[1:]
	}
	addr, err := netip.ParseAddr(literal)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return Authority{}, false
	}
	return Authority{Host: addr.String(), Port: port}, true
}

// ParseHost reads a host that an operator configured, where IPv6 literals may lack their
// brackets.
func ParseHost(s string) (Authority, bool) {
	if strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
		s = "[" + s + "]"
	}
	return ParseAuthority(s)
}

// TrimScheme takes "https://" and then "http://" off an address, in any case (contract 04
// §3.3).
func TrimScheme(address string) string {
	for _, scheme := range []string{"https://", "http://"} {
		if len(address) >= len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) {
			address = address[len(scheme):]
		}
	}
	return address
}

// SplitAddress reads an address that an operator configured, host[:port][/path] with or
// without a scheme. A wildcard, "*.example.com", is no host.
func SplitAddress(address string) (a Authority, path string, ok bool) {
	address = TrimScheme(address)
	if slash := strings.IndexByte(address, '/'); slash >= 0 {
		address, path = address[:slash], address[slash:]
	}
	a, ok = ParseHost(address)
	return a, path, ok
}

func validHost(host string) bool {
	if host == "" || len(host) > maxHost {
		return false
	}
	label := 0
	for i := range len(host) {
		c := host[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case isAlphanumeric(c), c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > maxLabel {
			return false
		}
	}
	return label > 0
}

// IsIP reports whether the host is an address literal.
func (a Authority) IsIP() bool {
	_, ok := a.addr()
	return ok
}

// IsLoopback reports whether the host is this machine itself, by name or address.
func (a Authority) IsLoopback() bool {
	if a.Host == "localhost" {
		return true
	}
	addr, ok := a.addr()
	return ok && addr.IsLoopback()
}

// PortOf is the port that a client of that scheme, "http" or "https", uses.
func (a Authority) PortOf(scheme string) string {
	switch {
	case a.Port != "":
		return a.Port
	case strings.EqualFold(scheme, "https"):
		return "443"
	}
	return "80"
}

func (a Authority) addr() (netip.Addr, bool) {
	if a.Host == "" {
		return netip.Addr{}, false
	}
	// Every DNS name of ours fails here at once; ParseAddr would build an error value for it.
	last := a.Host[len(a.Host)-1]
	if !strings.Contains(a.Host, ":") && !isDigit(last) {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(a.Host)
	return addr, err == nil
}

// readAuthority returns the one authority of a request; anything that two parsers
// could read as two hosts is refused (threat row R4).
func readAuthority(r Request) (Authority, bool) {
	a, ok := ParseAuthority(r.Authority)
	if !ok || len(r.HostFields) > 1 {
		return Authority{}, false
	}
	for _, field := range r.HostFields {
		if !a.matches(field) {
			return Authority{}, false
		}
	}
	if r.TargetAuthority != "" && !a.matches(r.TargetAuthority) {
		return Authority{}, false
	}
	return a, true
}

func (a Authority) matches(other string) bool {
	b, ok := ParseAuthority(other)
	return ok && a == b
}
