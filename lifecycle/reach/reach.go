package reach

import (
	"net/netip"
	"regexp"
	"strings"
)

// metadataAddresses are services of clouds outside the link-local range that hand out
// credentials to whoever can reach them.
var metadataAddresses = map[netip.Addr]bool{
	netip.MustParseAddr("100.100.100.200"): true,
	netip.MustParseAddr("168.63.129.16"):   true,
	netip.MustParseAddr("192.0.0.192"):     true,
	netip.MustParseAddr("fd00:ec2::254"):   true,
	netip.MustParseAddr("fd20:ce::254"):    true,
}

// metadataNames are names under which the same services are found.
var metadataNames = map[string]bool{
	"metadata": true, "metadata.google.internal": true, "metadata.goog": true,
	"instance-data": true, "instance-data.ec2.internal": true,
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Sandbox tells whether addr may be the own address of a sandbox. Loopback is this
// server itself; the others are services no route may reach.
func Sandbox(addr netip.Addr) bool {
	return Address(addr) && !addr.Unmap().IsLoopback()
}

// Address tells whether addr may be dialled at all, as a published port or as a
// registry. Loopback may: the engine publishes there, and registries for tests live there.
func Address(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsValid() && addr.Zone() == "" &&
		!addr.IsUnspecified() && !addr.IsMulticast() &&
		!addr.IsLinkLocalUnicast() && addr != broadcast && !metadataAddresses[addr]
}

// number matches what system resolvers may read as part of an IPv4 address. No name
// ends in a label like that.
var number = regexp.MustCompile(`(?i)(\A|\.)(\d+|0x[0-9a-f]*)\z`)

// Host tells whether a registry's authority, "host", "host:port" or "[v6]:port", may be
// dialled. Addresses in disguise ("2852039166", "0xa9.0xfe.43518") may not: what they
// mean depends on who resolves them.
func Host(authority string) bool {
	host := strings.TrimSuffix(strings.ToLower(hostOf(authority)), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return Address(addr)
	}
	return host != "" && !metadataNames[host] && !number.MatchString(host)
}

// hostOf strips port and brackets.
func hostOf(authority string) string {
	if rest, bracketed := strings.CutPrefix(authority, "["); bracketed {
		host, _, _ := strings.Cut(rest, "]")
		return host
	}
	host, _, _ := strings.Cut(authority, ":")
	return host
}
