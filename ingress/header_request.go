package ingress

import (
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// requestHeader is what the sandbox gets: the client's end-to-end headers without our
// own and without our keys. Hop-by-hop removal comes first and ours are set last, so
// that "Connection: X-Forwarded-For" removes nothing of ours (threat row B4).
func (x *exchange) requestHeader() http.Header {
	in := x.r.Header
	out := make(http.Header, len(in)+4)
	for name, values := range in {
		if isHopByHop(name) || x.withheld(name) || namedByConnection(in, name) {
			continue
		}
		if values = x.withoutKeys(name, values); len(values) > 0 {
			out[name] = values
		}
	}
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = nil // the transport would add its own
	}
	if httpguts.HeaderValuesContainsToken(in["Te"], "trailers") {
		out["Te"] = []string{"trailers"}
	}
	if x.upgrade {
		out["Connection"], out["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	x.setForwarded(out)
	return out
}

// isHopByHop tells headers that end at the edge. Host is among them because the one the
// sandbox sees is the upstream's, and names with a colon because HTTP/2 pseudo-headers
// can end up in the map.
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Host":
		return true
	}
	return strings.IndexByte(name, ':') >= 0
}

func namedByConnection(h http.Header, name string) bool {
	values := h["Connection"]
	return len(values) > 0 && httpguts.HeaderValuesContainsToken(values, name)
}

// withheld tells headers that are for the edge alone. Names that only differ in
// underscores count as well: CGI-like applications fold them (threat row R7).
func (x *exchange) withheld(name string) bool {
	if strings.IndexByte(name, '_') >= 0 {
		name = textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(name, "_", "-"))
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

// withoutKeys drops values that equal an API key, whatever the header (threat row C2).
func (x *exchange) withoutKeys(name string, values []string) []string {
	for i, v := range values {
		if x.clean(name, v) {
			continue
		}
		kept := append([]string(nil), values[:i]...)
		for _, v := range values[i:] {
			if name == "Sec-Websocket-Protocol" {
				v = x.cleanList(v)
			}
			if v != "" && x.clean(name, v) {
				kept = append(kept, v)
			}
		}
		return kept
	}
	return values
}

func (x *exchange) clean(name, value string) bool {
	if name == "Sec-Websocket-Protocol" {
		return x.cleanList(value) == value
	}
	return !x.Keys.Carries(value)
}

// cleanList drops keys from a comma-separated list: browsers smuggle credentials as subprotocols.
func (x *exchange) cleanList(value string) string {
	items := strings.Split(value, ",")
	kept := items[:0]
	for _, item := range items {
		if !x.Keys.Carries(strings.TrimSpace(item)) {
			kept = append(kept, item)
		}
	}
	return strings.TrimSpace(strings.Join(kept, ","))
}

// setForwarded tells the application where the request really came from, as far as
// trusted proxies are believed. What anybody else said about that was withheld.
func (x *exchange) setForwarded(out http.Header) {
	if chain := x.decision.For(); chain != "" {
		out["X-Forwarded-For"] = []string{chain}
	}
	out["X-Forwarded-Host"] = []string{x.decision.Host}
	out["X-Forwarded-Proto"] = []string{x.decision.Scheme}
	if x.route.Prefix != "" {
		out["X-Forwarded-Prefix"] = []string{x.route.Prefix}
	}
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
