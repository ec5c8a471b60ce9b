package ingress

import (
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// The fields that are the same in every request that has them.
var (
	teTrailers        = []string{"trailers"}
	connectionUpgrade = []string{"Upgrade"}
	upgradeWebSocket  = []string{"websocket"}
)

// eachRequestHeader yields the fields the sandbox gets, each name once and Host aside
// (upstreamHost): the client's end-to-end fields without our own and without our keys.
// Hop-by-hop removal comes first and ours are set last, so that "Connection:
// X-Forwarded-For" removes nothing of ours (threat row B4). Values are only to be read.
func (x *exchange) eachRequestHeader(yield func(name string, values []string)) {
	in := x.r.Header
	named, _ := connectionOptions(in["Connection"]) // checkRequest has counted them
	for name, values := range in {
		if isHopByHop(name) || x.withheld(name) || named.name(name) {
			continue
		}
		if values = x.passing(name, values); len(values) > 0 {
			yield(name, values)
		}
	}
	if te := in["Te"]; te != nil && httpguts.HeaderValuesContainsToken(te, "trailers") {
		yield("Te", teTrailers)
	}
	if x.upgrade {
		yield("Connection", connectionUpgrade)
		yield("Upgrade", upgradeWebSocket)
	}
	// What the client said about its origin was withheld; trusted proxies were believed.
	x.origin = [...]string{x.decision.For(), x.decision.Host, x.decision.Scheme, x.route.Prefix}
	for i, name := range [...]string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix"} {
		if x.origin[i] != "" {
			yield(name, x.origin[i:i+1:i+1])
		}
	}
}

// passing returns the values of one field that may pass: the same slice when all may.
func (x *exchange) passing(name string, values []string) []string {
	for i, v := range values {
		if clean, ok := x.passes(name, v); ok && clean == v {
			continue
		}
		kept := append([]string(nil), values[:i]...)
		for _, v := range values[i:] {
			if clean, ok := x.passes(name, v); ok {
				kept = append(kept, clean)
			}
		}
		return kept
	}
	return values
}

// passes returns what may pass of one value; what needs no change stays the same string.
func (x *exchange) passes(name, value string) (string, bool) {
	if !x.ForwardCredentials && x.isolation().Withholds(name, value) {
		return "", false
	}
	return x.withoutKeys(name, value)
}

// upstreamHost is the Host that the sandbox gets.
func (x *exchange) upstreamHost() string {
	if x.PreserveHost {
		return x.decision.Host
	}
	return x.addr.String()
}

// folding turns names into the ones that CGI-like applications take them for.
var folding = strings.NewReplacer("_", "-", ".", "-")

// withheld tells headers that are for the edge alone. Names that only differ in
// underscores or dots count as well (threat row R7).
func (x *exchange) withheld(name string) bool {
	if strings.IndexByte(name, '_') >= 0 || strings.IndexByte(name, '.') >= 0 {
		name = textproto.CanonicalMIMEHeaderKey(folding.Replace(name))
	}
	switch name {
	case wire.HeaderAPIKey, wire.HeaderSecureAccess, wire.HeaderAccessRenew, wire.HeaderIngressTo, wire.HeaderIngressToLegacy:
		return true
	case wire.HeaderExecdToken:
		return x.route.Port != wire.PortExecd
	case wire.HeaderEgressToken:
		return x.route.Port != wire.PortEgress
	case "Cookie", "Authorization":
		// On direct routes the browser's credentials are the API origin's, not the sandbox's.
		return x.route.Form == route.FormDirect && !x.ForwardCredentials
	}
	return isForwarding(name)
}

// isForwarding tells the headers that proxies describe a request with; clients may not
// set them (threat row B5).
func isForwarding(name string) bool {
	switch name {
	case "Forwarded", "X-Real-Ip", "X-Original-Url", "X-Original-Host", "X-Rewrite-Url":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}

// trailerAllowed tells request trailers that may pass: what is not allowed as a header
// is not allowed as a trailer (threat row B4), nor is what governs framing or identity.
func (x *exchange) trailerAllowed(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Content-Length", "Content-Type", "Content-Encoding", "Cookie", "Authorization", wire.HeaderExecdToken, wire.HeaderEgressToken:
		return false
	}
	return !isHopByHop(name) && !x.withheld(name)
}
