package hardening

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// hostGateway is the engine's word for its own address as sandboxes see it.
const hostGateway = "host-gateway"

var (
	hostGrammar = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?$`)
	wordGrammar = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,253}$`)
)

// checkHosts wants "name:address", where an IPv6 address may be bracketed.
func checkHosts(entries []string) error {
	for _, entry := range entries {
		name, address, found := strings.Cut(entry, ":")
		bare := address
		if inside, open := strings.CutPrefix(address, "["); open {
			bare = strings.TrimSuffix(inside, "]")
		}
		_, err := netip.ParseAddr(bare)
		if !found || !hostGrammar.MatchString(name) || err != nil && address != hostGateway {
			return fmt.Errorf("%q: want name:address, e.g. \"registry.internal:10.0.0.5\"", entry)
		}
	}
	return nil
}

func checkServers(entries []string) error {
	for _, entry := range entries {
		if addr, err := netip.ParseAddr(entry); err != nil || addr.Zone() != "" {
			return fmt.Errorf("%q is not an IP address", entry)
		}
	}
	return nil
}

// checkWords keeps what becomes a word of resolv.conf from becoming a line of it.
func checkWords(entries []string) error {
	for _, entry := range entries {
		if !wordGrammar.MatchString(entry) {
			return fmt.Errorf("%q: want letters, digits, '.', '-', '_' and ':'", entry)
		}
	}
	return nil
}
