package forwarded

import (
	"iter"
	"net/http"
	"net/netip"
	"strings"

	"github.com/opensandbox-edge/edge/ingress/route"
)

// maxHops bounds the way back through trusted proxies.
const maxHops = 16

// Origin is where a request came from.
type Origin struct {
	// Peer is the other end of the connection; invalid on a Unix socket.
	Peer netip.Addr
	// Client is the address the request began at: the peer, or what trusted proxies say.
	// It is invalid when nobody knows. Addresses here are without zone, IPv4 as such.
	Client netip.Addr
	// Scheme is the one the client used, "http" or "https".
	Scheme string
	// Host is the authority the client used, host[:port]. It is for answers that name this
	// server; what a request is for is decided by the request's own authority.
	Host string

	hops []netip.Addr // between Client and Peer as reported, Client first; nil when Client is Peer
}

// Read finds out where a request came from.
//
// X-Forwarded-For is read from its end, where the nearest proxy wrote, back over trusted
// proxies to the first address that is none of them; whatever lies beyond, or beyond an
// entry that is no address, is hearsay. X-Forwarded-Proto and X-Forwarded-Host are
// taken from the proxy that the client reached: the entry as far from the end, or the
// first one when proxies replaced it instead of adding theirs.
//
// Forwarded (RFC 7239) and X-Real-IP are never read: a proxy that writes one set of headers
// commonly passes a client's other set on, and then there are two truths.
func (p *Proxies) Read(r *http.Request) Origin {
	o := Origin{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		o.Scheme = "https"
	}
	trusted := false
	if overUnix(r) {
		trusted = p != nil && p.unix
	} else {
		o.Peer = peer(r.RemoteAddr)
		trusted = p.Trusts(o.Peer)
	}
	o.Client = o.Peer
	if !trusted {
		return o
	}
	for entry := range fromEnd(r.Header["X-Forwarded-For"]) {
		addr, ok := parseHop(entry)
		if !ok {
			break
		}
		o.Client = addr
		o.hops = append([]netip.Addr{addr}, o.hops...)
		if !p.Trusts(addr) || len(o.hops) == maxHops {
			break
		}
	}
	distance := max(len(o.hops)-1, 0)
	if scheme, ok := parseScheme(at(r.Header["X-Forwarded-Proto"], distance)); ok {
		o.Scheme = scheme
	}
	if host := at(r.Header["X-Forwarded-Host"], distance); host != "" {
		if _, ok := route.ParseAuthority(host); ok {
			o.Host = host
		}
	}
	return o
}

// For is the X-Forwarded-For of this request for the next hop: the client and the trusted
// proxies between, nothing that anybody else claims. It is empty when nobody knows.
func (o *Origin) For() string {
	if len(o.hops) == 0 {
		if !o.Peer.IsValid() {
			return ""
		}
		return o.Peer.String()
	}
	var list strings.Builder
	for i, hop := range o.hops {
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString(hop.String())
	}
	if o.Peer.IsValid() {
		list.WriteString(", " + o.Peer.String())
	}
	return list.String()
}

// peer reads a RemoteAddr.
func peer(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return plain(ap.Addr())
}

// parseHop reads an entry of X-Forwarded-For: an address, which some proxies write with
// brackets or a port.
func parseHop(entry string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(entry); err == nil {
		return plain(addr), true
	}
	if ap, err := netip.ParseAddrPort(entry); err == nil {
		return plain(ap.Addr()), true
	}
	if literal, ok := strings.CutPrefix(entry, "["); ok {
		literal, ok = strings.CutSuffix(literal, "]")
		if addr, err := netip.ParseAddr(literal); ok && err == nil && addr.Is6() {
			return plain(addr), true
		}
	}
	return netip.Addr{}, false
}

// parseScheme reads an entry of X-Forwarded-Proto; some proxies tell WebSockets apart.
func parseScheme(entry string) (string, bool) {
	switch strings.ToLower(entry) {
	case "http", "ws":
		return "http", true
	case "https", "wss":
		return "https", true
	}
	return "", false
}

// at is the entry that many places before the last, or the first one.
func at(values []string, distance int) (found string) {
	for entry := range fromEnd(values) {
		found = entry
		if distance--; distance < 0 {
			break
		}
	}
	return found
}

// fromEnd walks the entries of comma-separated lists from the last to the first.
func fromEnd(values []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := len(values) - 1; i >= 0; i-- {
			for rest, more := values[i], true; more; {
				entry := rest
				comma := strings.LastIndexByte(rest, ',')
				if more = comma >= 0; more {
					rest, entry = rest[:comma], rest[comma+1:]
				}
				if !yield(strings.Trim(entry, " \t")) {
					return
				}
			}
		}
	}
}
