package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// The checks in this file get a non-blank value and return "" or what is wrong with
// it. They never repeat the value unless it is one short identifier: it may be a
// secret that was written into the wrong line.

var (
	hostLabel    = regexp.MustCompile(`^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	instanceName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)
	networkName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	capability   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
	dnsLabel     = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	// memoryAmount and cpuAmount are the grammar of resourceLimits (contract 01 §6.5).
	memoryAmount = regexp.MustCompile(`(?i)^\s*[0-9]{1,19}(?:\.[0-9]{1,18})?(?:b|[kmgtp][bi]?)?\s*$`)
	cpuAmount    = regexp.MustCompile(`(?i)^\s*(?:[0-9]{1,12}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})m?\s*$`)
	quantity     = regexp.MustCompile(`^[+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:Ki|Mi|Gi|Ti|Pi|Ei|[mkMGTPE]|[eE][+-]?[0-9]+)?$`)
)

// isHost accepts host names and IP literals, IPv6 with or without brackets.
func isHost(s string) bool {
	if strings.HasPrefix(s, "[") != strings.HasSuffix(s, "]") {
		return false
	}
	if bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"); bare != s || strings.Contains(s, ":") {
		addr, err := netip.ParseAddr(bare)
		return err == nil && addr.Is6()
	}
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if !hostLabel.MatchString(label) {
			return false
		}
	}
	return true
}

// splitPort cuts ":port" off s; port is 0 when there is none, and ok is false when it is not a port.
func splitPort(s string) (host string, port int, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") || strings.Count(s, ":") > 1 && !strings.HasPrefix(s, "[") {
		return s, 0, true
	}
	digits := s[i+1:]
	for _, c := range digits {
		if c < '0' || c > '9' {
			return s, 0, false
		}
	}
	n, err := strconv.Atoi(digits)
	return s[:i], n, err == nil && n >= 1 && n <= 65535
}

func isHostPort(s string) bool {
	host, _, ok := splitPort(s)
	return ok && isHost(host)
}

func checkBindHost(s string) string {
	if path, ok := strings.CutPrefix(s, unixPrefix); ok {
		if !filepath.IsAbs(path) {
			return "A Unix socket is written unix//absolute/path."
		}
		return ""
	}
	if !isHost(s) {
		return "Input should be an IP address, a host name, or unix//absolute/path."
	}
	return ""
}

func checkHostName(s string) string {
	if !isHost(s) {
		return "Input should be a host name or an IP address, without scheme or port."
	}
	return ""
}

func checkPublicAddress(s string) string {
	rest := s
	if scheme, after, found := strings.Cut(s, "://"); found {
		if scheme != "http" && scheme != "https" {
			return "Input should be a host or host:port."
		}
		rest = after
	}
	host, _, _ := strings.Cut(rest, "/")
	if !isHostPort(host) || strings.ContainsAny(rest, "?#@\\ ") {
		return "Input should be a host or host:port."
	}
	return ""
}

func checkOrigin(s string) string {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !isHostPort(u.Host) || u.Scheme+"://"+u.Host != s {
		return "Each origin should be written scheme://host[:port]; wildcards are not accepted, because these origins may send credentials."
	}
	return ""
}

func checkListen(s string) string {
	host, port, ok := splitPort(s)
	if !ok || port == 0 || host != "" && !isHost(host) {
		return "Input should be host:port."
	}
	return ""
}

func checkPublishAddress(s string) string {
	if addr, err := netip.ParseAddr(s); err != nil || addr.Zone() != "" || addr.IsMulticast() {
		return "Input should be an IP address of the engine's host, without brackets or port."
	}
	return ""
}

func checkNetwork(s string) string {
	if _, err := netip.ParsePrefix(s); err == nil || s == "unix" {
		return ""
	}
	if addr, err := netip.ParseAddr(s); err != nil || addr.Zone() != "" {
		return "Each entry should be an IP address, a CIDR range such as 10.0.0.0/8, or unix."
	}
	return ""
}

func checkControlURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || !isHostPort(u.Host) || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return "Input should be http://host[:port] or https://host[:port]."
	}
	return ""
}

func checkImage(s string) string {
	if _, err := reference.ParseAnyReference(s); err != nil {
		return "Input should be an image reference such as registry.example.com/name:tag."
	}
	return ""
}

func checkRegistry(s string) string {
	if !isHostPort(s) {
		return "Each registry should be a host or host:port, without scheme or path."
	}
	return ""
}

func checkEngineHost(s string) string {
	scheme, rest, found := strings.Cut(s, "://")
	switch {
	case !found || rest == "":
	case scheme == "unix" && filepath.IsAbs(rest):
		return ""
	case (scheme == "tcp" || scheme == "http" || scheme == "https") && !strings.ContainsAny(rest, " \t"):
		return ""
	}
	return "Input should be unix:///path or tcp://host:port."
}

func checkNetworkMode(s string) string {
	if name, ok := strings.CutPrefix(s, "container:"); ok && networkName.MatchString(name) {
		return ""
	}
	if !networkName.MatchString(s) {
		return "Input should be host, bridge or the name of a Docker network."
	}
	return ""
}

func checkInstance(s string) string {
	if !instanceName.MatchString(s) {
		return "Input should be up to 63 letters, digits, '-', '_' or '.', and begin and end with a letter or digit."
	}
	return ""
}

func checkCapability(s string) string {
	if !capability.MatchString(s) {
		return "Each capability should be a name such as NET_RAW."
	}
	return ""
}

func checkDNSLabel(s string) string {
	if !dnsLabel.MatchString(s) {
		return "Input should be a DNS label: lower-case letters, digits and '-', at most 63."
	}
	return ""
}

func checkAbsolute(s string) string {
	if !filepath.IsAbs(s) {
		return "Input should be an absolute path."
	}
	return ""
}

func checkQuantity(s string) string {
	if !quantity.MatchString(s) {
		return "Input should be a quantity such as 500Mi or 1Gi."
	}
	return ""
}

func isKeyID(s string) bool {
	return len(s) == 1 && (s[0] >= '0' && s[0] <= '9' || s[0] >= 'a' && s[0] <= 'z')
}

func checkKeyID(s string) string {
	if !isKeyID(s) {
		return fmt.Sprintf("key_id must be exactly one character [0-9a-z], got '%s'", shown(s))
	}
	return ""
}

func checkActiveKey(s string) string {
	if !isKeyID(s) {
		return fmt.Sprintf("active_key must be exactly one character [0-9a-z], got '%s'", shown(s))
	}
	return ""
}

// shown makes an identifier from the file fit for a terminal: short and printable.
func shown(s string) string {
	const most = 32
	var b strings.Builder
	for i, r := range s {
		if i >= most {
			b.WriteString("…")
			break
		}
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteRune('\uFFFD')
		}
	}
	return b.String()
}
