package ingress

import (
	"net/textproto"
	"slices"
	"strings"
)

// maxOptions bounds the options of a Connection field: every other field of the head is
// held against each of them (threat row B2). Package h1 refuses more in answers.
const maxOptions = 32

// options are the canonical names of the fields that a message's Connection field makes
// hop-by-hop; nil = none.
type options []string

func (o options) name(field string) bool { return o != nil && slices.Contains(o, field) }

// connectionOptions reads the Connection fields of one message, once for all its fields.
// ok is false when there are more than maxOptions.
func connectionOptions(values []string) (named options, ok bool) {
	if namesNothing(values) {
		return nil, true
	}
	for _, value := range values {
		for option := range strings.SplitSeq(value, ",") {
			if len(named) == maxOptions {
				return named, false
			}
			named = append(named, textproto.CanonicalMIMEHeaderKey(strings.Trim(option, " \t")))
		}
	}
	return named, true
}

// namesNothing tells the Connection fields of nearly all messages, which name no field
// that is not hop-by-hop by itself.
func namesNothing(values []string) bool {
	switch len(values) {
	case 0:
		return true
	case 1:
		switch values[0] {
		case "keep-alive", "Keep-Alive", "close", "Upgrade", "upgrade":
			return true
		}
	}
	return false
}

// isHopByHop tells headers that end at the edge. Host is among them because the one the
// sandbox sees is set by us, and names with a colon because HTTP/2 pseudo-headers can end
// up in the map.
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Host":
		return true
	}
	return strings.IndexByte(name, ':') >= 0
}
