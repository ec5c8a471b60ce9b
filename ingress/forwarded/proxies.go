package forwarded

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
)

// Unix is the entry of a list that trusts whoever connects through a Unix socket. Such a
// peer has no address; who may open the socket is a matter of the file system.
const Unix = "unix"

// Proxies is a set of trusted proxies. It is immutable and safe for concurrent use; nil
// trusts nobody.
type Proxies struct {
	prefixes []netip.Prefix
	unix     bool
}

// NewProxies reads addresses ("10.0.0.1"), CIDR ranges ("10.0.0.0/8") and Unix.
func NewProxies(list []string) (*Proxies, error) {
	p := new(Proxies)
	for _, entry := range list {
		if entry == Unix {
			p.unix = true
			continue
		}
		prefix, err := parsePrefix(entry)
		if err != nil {
			return nil, fmt.Errorf("trusted proxy %q is neither an address, a CIDR range nor %q", entry, Unix)
		}
		p.prefixes = append(p.prefixes, prefix)
	}
	return p, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = plain(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	// Peers are compared in their IPv4 form, so a range in the mapped form has to be, too.
	const mapped = 128 - 32
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= mapped {
		return netip.PrefixFrom(addr.Unmap(), prefix.Bits()-mapped).Masked(), nil
	}
	return prefix.Masked(), nil
}

// Trusts tells whether addr is one of the proxies.
func (p *Proxies) Trusts(addr netip.Addr) bool {
	if p == nil || !addr.IsValid() {
		return false
	}
	addr = plain(addr)
	for _, prefix := range p.prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// overUnix tells requests that came through a Unix socket. Their RemoteAddr is whatever
// name the peer gave its end, "10.0.0.1:80" for example.
func overUnix(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return local != nil && local.Network() == "unix"
}

// plain is the one form in which addresses are compared: IPv4 as such, and no zone,
// which names an interface of this machine.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }
