package lifecycle

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// maxImage is the length of a reference no real image reaches.
const maxImage = 1024

// numericHost matches what some resolvers read as an IPv4 address in disguise:
// a last label that is a number, such as "2852039166" or "0xa9.0xfe.43518".
var numericHost = regexp.MustCompile(`(?i)(\A|\.)(\d+|0x[0-9a-f]*)\z`)

// registries says where images may come from. The zero value allows every registry
// but the ones that are never fit.
type registries struct{ allowed, denied []string }

// check parses an image reference before any engine sees it: the engine's client
// builds request paths from it, and the engine itself dials its registry.
func (r registries) check(image string) error {
	if len(image) > maxImage {
		return invalid("image.uri is longer than %d characters.", maxImage)
	}
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return invalid("image.uri is not a valid image reference; use for example \"python:3.11\" or \"registry.example.com/team/app:1.0\".").Because(err)
	}
	registry := strings.ToLower(reference.Domain(named))
	matches := func(pattern string) bool { return registryMatches(strings.ToLower(pattern), registry) }
	switch {
	case !fitsRegistry(registry), slices.ContainsFunc(r.denied, matches):
		return invalid("image.uri: the registry %q is not allowed.", clip(registry))
	case r.allowed != nil && !slices.ContainsFunc(r.allowed, matches):
		return invalid("image.uri: the registry %q is not among the allowed registries.", clip(registry))
	}
	return nil
}

func registryMatches(pattern, registry string) bool {
	if suffix, wild := strings.CutPrefix(pattern, "*"); wild && strings.HasPrefix(suffix, ".") {
		return strings.HasSuffix(registry, suffix) && len(registry) > len(suffix)
	}
	return pattern == registry
}

// fitsRegistry refuses the addresses behind which a cloud or a neighbour hides
// services that trust whoever can reach them.
func fitsRegistry(registry string) bool {
	host := registry
	if h, _, found := cutPort(registry); found {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return fitsPublished(addr)
	}
	return host != "" && host != "metadata" && host != "metadata.google.internal" && !numericHost.MatchString(host)
}

// cutPort splits "host:port" and "[v6]:port".
func cutPort(authority string) (host, port string, found bool) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return authority, "", false
	}
	return authority[:i], authority[i+1:], true
}
