package address

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/ingress/route"
)

// outward is a documentation address (RFC 5737): connecting a UDP socket to it sends
// nothing and tells which local address leads out of this machine.
const outward = "192.0.2.1:9"

// PublicHost is the host on which ports published by the engine are reached, for
// Config.PublishedHost (contract 02 §7.3): server.eip without its port and path; else
// server.host unless it is a wildcard; else docker.host_ip when this process runs in a
// container, or the address that leads out of this machine; else loopback. In a container
// loopback is the container's own, so docker.host_ip goes before that as well.
func PublicHost(eip, serverHost, hostIP string) string {
	return publicHost(eip, serverHost, hostIP, InContainer(), outwardHost)
}

func publicHost(eip, serverHost, hostIP string, contained bool, outwardHost func() string) string {
	if a, _, ok := route.SplitAddress(strings.TrimSpace(eip)); ok {
		return a.Host
	}
	host := strings.Trim(serverHost, "[] ")
	inside := contained && hostIP != ""
	switch {
	case host == "", host == "0.0.0.0", host == "::":
	case inside && isLoopback(host):
	default:
		return host
	}
	if inside {
		return strings.Trim(hostIP, "[]")
	}
	return outwardHost()
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

func outwardHost() string {
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

// containedVar overrides what is found out about containers, with a Boolean.
const containedVar = "OPENSANDBOX_IN_CONTAINER"

// InContainer tells whether this process runs in a container of Docker or Podman, where
// the engine's host is another one than its own.
func InContainer() bool {
	return inContainer(os.Getenv, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

func inContainer(getenv func(string) string, exists func(string) bool) bool {
	if said, err := strconv.ParseBool(getenv(containedVar)); err == nil {
		return said
	}
	return exists("/.dockerenv") || exists("/run/.containerenv")
}
