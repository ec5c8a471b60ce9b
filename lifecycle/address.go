package lifecycle

import "net/netip"

// metadataAddresses are the cloud metadata services outside the link-local range.
var metadataAddresses = map[netip.Addr]bool{
	netip.MustParseAddr("fd00:ec2::254"):   true,
	netip.MustParseAddr("100.100.100.200"): true,
	netip.MustParseAddr("168.63.129.16"):   true,
}

// fitsSandbox tells whether addr may be the own address of a sandbox: loopback is
// the server itself, the others are services no route may reach (design §12.3).
func fitsSandbox(addr netip.Addr) bool {
	return fitsPublished(addr) && !addr.Unmap().IsLoopback()
}

// fitsPublished tells whether addr may be the host side of a published port. The
// engine publishes on loopback, so that is allowed here.
func fitsPublished(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsValid() && addr.Zone() == "" &&
		!addr.IsUnspecified() && !addr.IsMulticast() &&
		!addr.IsLinkLocalUnicast() && addr != netip.AddrFrom4([4]byte{255, 255, 255, 255}) &&
		!metadataAddresses[addr]
}
