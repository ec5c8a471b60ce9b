package docker

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/distribution/reference"
)

// image is a parsed image reference; only its fields ever reach an engine path.
type image struct {
	// name is the canonical short form with a tag or digest, e.g. "python:3.11".
	name string
	// registry is the host pulls go to, with its port; empty for a local image id.
	registry string
}

var imageIDGrammar = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

const maxReferenceText = 1024

// parseImage accepts what a registry can serve, or the full id of a local image. The
// text itself is never handed on: joined into an engine path, "../containers/x" would
// address something else.
func parseImage(text string) (image, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxReferenceText {
		return image{}, fmt.Errorf("want 1 to %d characters", maxReferenceText)
	}
	if imageIDGrammar.MatchString(text) {
		return image{name: text}, nil
	}
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return image{}, err
	}
	if digested, ok := named.(reference.Digested); ok {
		// With a digest the tag says nothing, and old engines fail to find both.
		if named, err = reference.WithDigest(reference.TrimNamed(named), digested.Digest()); err != nil {
			return image{}, err
		}
	} else {
		named = reference.TagNameOnly(named)
	}
	return image{name: reference.FamiliarString(named), registry: reference.Domain(named)}, nil
}

// local reports an image that no registry can serve.
func (i image) local() bool { return i.registry == "" }

var errRegistryRefused = errors.New("this server does not pull from that registry")

// checkRegistry refuses what no policy may allow: a pull makes the daemon connect to a
// host of the client's choice, and cloud metadata services trust whoever can reach them.
// Which of the other registries are allowed is the service's rule.
func checkRegistry(i image) error {
	host := strings.TrimSuffix(hostOnly(strings.ToLower(i.registry)), ".")
	if i.local() {
		return nil
	}
	if metadataNames[host] {
		return errRegistryRefused
	}
	addr, numeric, ok := parseAddress(host)
	if numeric && !ok {
		return errRegistryRefused // a number some resolvers read as an address and we cannot
	}
	if ok && (addr.IsLinkLocalUnicast() || addr.IsUnspecified() || addr.IsMulticast() || metadataAddress(addr)) {
		return errRegistryRefused
	}
	return nil
}

var metadataNames = map[string]bool{
	"metadata": true, "metadata.google.internal": true, "metadata.goog": true, "instance-data": true,
	"instance-data.ec2.internal": true,
}

var metadataAddresses = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"): true, // link-local too; listed for the reader
	netip.MustParseAddr("100.100.100.200"): true,
	netip.MustParseAddr("192.0.0.192"):     true,
	netip.MustParseAddr("168.63.129.16"):   true,
	netip.MustParseAddr("fd00:ec2::254"):   true,
	netip.MustParseAddr("fd20:ce::254"):    true,
}

// metadataAddress reports an address where clouds hand out credentials.
func metadataAddress(a netip.Addr) bool { return metadataAddresses[a.Unmap()] }

// hostOnly strips port and brackets.
func hostOnly(registry string) string {
	if strings.HasPrefix(registry, "[") {
		host, _, _ := strings.Cut(registry[1:], "]")
		return host
	}
	host, _, _ := strings.Cut(registry, ":")
	return host
}

// parseAddress reads an IP address, also in the forms of inet_aton that system resolvers
// take ("0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376"). numeric is true when the
// text is made of numbers only.
func parseAddress(host string) (addr netip.Addr, numeric, ok bool) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.WithZone("").Unmap(), true, true
	}
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return netip.Addr{}, false, false
	}
	numbers := make([]uint64, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 64)
		if err != nil || strings.ContainsRune(part, '_') {
			// "08" and "09" are no octal numbers but are digits: numeric, and unreadable.
			return netip.Addr{}, strings.Trim(host, "0123456789.") == "", false
		}
		numbers[i] = n
	}
	var value uint64
	for i, n := range numbers {
		bits := 8
		if i == len(numbers)-1 {
			bits = 8 * (5 - len(numbers))
		}
		if n >= 1<<bits {
			return netip.Addr{}, true, false
		}
		value = value<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)}), true, true
}
