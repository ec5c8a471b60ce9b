package address

import (
	"net"
	"os"
	"strings"

	"github.com/opensandbox-edge/edge/ingress/route"
)

// outward is a documentation address (RFC 5737): connecting a UDP socket to it sends
// nothing and tells which local address leads out of this machine.
const outward = "192.0.2.1:9"

// PublicHost is the host on which ports published by the engine are reached, for
// Config.PublishedHost (contract 02 §7.3): server.eip without its port and path; else
// server.host unless it is a wildcard; else docker.host_ip when this process runs in a
// container, or the address that leads out of this machine; else loopback.
func PublicHost(eip, serverHost, hostIP string) string {
	if a, _, ok := route.SplitAddress(strings.TrimSpace(eip)); ok {
		return a.Host
	}
	switch host := strings.Trim(serverHost, "[] "); host {
	case "", "0.0.0.0", "::":
	default:
		return host
	}
	if hostIP != "" && inContainer() {
		return hostIP
	}
	conn, err := net.Dial("udp4", outward)
	if err != nil {
		return "127.0.0.1" // no route out: whoever asks is on this machine
	}
	defer func() { _ = conn.Close() }()
	if at, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		return at.IP.String()
	}
	return "127.0.0.1"
}

func inContainer() bool {
	_, err := os.Stat("/.dockerenv")
	return err == nil
}
