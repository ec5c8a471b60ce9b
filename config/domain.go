package config

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// SharedDomain finds a gateway address that lies under the same registrable domain as a
// host of the API: cookies and same-site rules of browsers do not keep such two apart
// (threat row W4). Addresses, and names that nobody can register, share nothing.
func (c *Config) SharedDomain() (address, host string, found bool) {
	for _, r := range c.Ingress.Routes() {
		for _, host := range append([]string{c.Server.EIP, c.Server.Host}, c.Server.PublicHosts...) {
			if domain := registrable(host); domain != "" && domain == registrable(strings.TrimPrefix(r.Address, "*.")) {
				return r.Address, host, true
			}
		}
	}
	return "", "", false
}

// registrable is the domain under which a host[:port][/path] was registered, "" if none.
func registrable(address string) string {
	if _, after, ok := strings.Cut(address, "://"); ok {
		address = after
	}
	host, _, _ := strings.Cut(address, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(strings.TrimSuffix(host, ".")))
	if err != nil {
		return ""
	}
	return domain
}
