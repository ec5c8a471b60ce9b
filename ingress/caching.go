package ingress

import (
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/ingress/route"
)

// routingFields are what decides about a sandbox beside the URL where there are header
// routes: all sandboxes have the same URLs there.
const routingFields = "OpenSandbox-Ingress-To, OPEN-SANDBOX-INGRESS, OpenSandbox-Secure-Access"

// guardCaches keeps shared caches from giving an answer to somebody without access
// (threat row C6), and pages from telling others a signed address (threat row A6).
func (x *exchange) guardCaches(h http.Header) {
	// A uri route gives way to a routing header (contract 04 §10.3), so its answers depend
	// on there being none.
	if x.route.Form == route.FormHeader || x.route.Form == route.FormURI && x.Table.RoutesByHeader() {
		h["Vary"] = append(slices.Clip(h["Vary"]), routingFields)
	}
	if x.proven {
		makePrivate(h)
	}
	if x.route.Signature != "" && !keepsReferrer(h["Referrer-Policy"]) {
		h["Referrer-Policy"] = []string{"same-origin"}
	}
}

// makePrivate adds Cache-Control: private and takes away what would overrule it.
// Everything else that the application says about caching stays.
func makePrivate(h http.Header) {
	kept := []string{"private"}
	for _, value := range h["Cache-Control"] {
		for directive := range directives(value) {
			name, _, _ := strings.Cut(directive, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "", "public", "private", "s-maxage":
			default:
				kept = append(kept, directive)
			}
		}
	}
	h["Cache-Control"] = []string{strings.Join(kept, ", ")}
	for name := range h {
		// Caches of one make or place prefer their own fields (RFC 9213).
		if name == "Surrogate-Control" || name == "X-Accel-Expires" || strings.HasSuffix(name, "Cdn-Cache-Control") {
			delete(h, name)
		}
	}
}

// directives splits a Cache-Control value; commas in quotes do not count.
func directives(value string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(value); i++ {
			switch c := value[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"':
				quoted = !quoted
			case c == ',' && !quoted:
				if !yield(strings.TrimSpace(value[start:i])) {
					return
				}
				start = i + 1
			}
		}
		yield(strings.TrimSpace(value[start:]))
	}
}

// keepsReferrer tells policies under which no other origin learns any part of an
// address. Browsers take the last policy that they know, so all have to be such.
func keepsReferrer(values []string) bool {
	for _, value := range values {
		for policy := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.TrimSpace(policy)) {
			case "no-referrer", "same-origin":
			default:
				return false
			}
		}
	}
	return len(values) > 0
}
