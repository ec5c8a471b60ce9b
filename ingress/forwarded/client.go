package forwarded

import "net/netip"

// ClientPrefix is the least that one client can be expected to have: an IPv4 address or
// an IPv6 /64. It is the zero Prefix for no address.
func ClientPrefix(a netip.Addr) netip.Prefix {
	a = plain(a)
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}
