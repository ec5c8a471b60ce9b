package ingress

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/ingress/isolation"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// copyResponseHeader puts the sandbox's end-to-end headers on ours. Its values replace
// what the server set before (Date), so that nothing is sent twice.
func (x *exchange) copyResponseHeader(from http.Header) {
	to := x.w.Header()
	delete(to, "Server") // the answer is not this server's
	named, _ := connectionOptions(from["Connection"])
	for name, values := range from {
		switch {
		case x.keptBack(named, name):
		case name == "Vary":
			to[name] = append(slices.Clip(to[name]), values...)
		case name == "Set-Cookie":
			if values = x.isolation().Cookies(values); len(values) > 0 {
				to[name] = values
			}
		default:
			to[name] = values
		}
	}
	if x.route.Class == route.Gateway {
		to[wire.HeaderPoweredBy] = []string{wire.PoweredBy}
	}
	x.isolation().Document(to)
	x.guardCaches(to)
	if x.ownDaemon() {
		x.CORS.Apply(to, x.r)
	}
}

// isolation is what holds on this route against its neighbours in a browser.
func (x *exchange) isolation() isolation.Policy {
	return isolation.Policy{Mode: x.Isolation, Shared: x.route.Form != route.FormWildcard, Prefix: x.route.Prefix}
}

// keptBack is the one filter of what a sandbox sends beside a body, in interim answers,
// heads and trailers: what ends at the edge, what the edge says itself, and what acts on
// more than this sandbox. On the ports of our daemons the edge answers cross-origin
// questions; what listens there may be the workload (threat row W1). named are the options
// of the head that came with the field.
func (x *exchange) keptBack(named options, name string) bool {
	return isHopByHop(name) || name == wire.HeaderRequestID || name == wire.HeaderPoweredBy && x.route.Class == route.Gateway || commandsProxies(name) || x.isolation().Drops(name) ||
		named.name(name) || x.ownDaemon() && isCORS(name)
}

func isCORS(name string) bool { return strings.HasPrefix(name, "Access-Control-") }

// commandsProxies tells the fields by which an application makes the proxy in front of it
// serve a file of the proxy's own machine, and which no client needs.
func commandsProxies(name string) bool {
	switch name {
	case "X-Accel-Redirect", "X-Sendfile", "X-Lighttpd-Send-File", "X-Reproxy-Url":
		return true
	}
	return false
}

// interimAllowed tells the fields that an answer before the answer may carry: nothing
// that a client could act on before the edge has seen the real one.
func (x *exchange) interimAllowed(named options, name string) bool {
	switch name {
	case "Content-Length", "Location", "Set-Cookie":
		return false
	}
	return !isCORS(name) && !x.keptBack(named, name)
}

// announceTrailers declares the trailers that the sandbox announced.
func (x *exchange) announceTrailers(head, trailer http.Header) (announced int) {
	named, _ := connectionOptions(head["Connection"])
	for name := range trailer {
		if x.trailerPasses(named, name) {
			x.w.Header().Add("Trailer", name)
			announced++
		}
	}
	return announced
}

// copyTrailers sends them; more may have come than were announced.
func (x *exchange) copyTrailers(head, trailer http.Header, announced int) {
	h := x.w.Header()
	exact := announced == len(trailer)
	named, _ := connectionOptions(head["Connection"])
	for name, values := range trailer {
		if !x.trailerPasses(named, name) {
			continue
		}
		if !exact {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
}

// trailerPasses tells the trailers that the client may get.
func (x *exchange) trailerPasses(named options, name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	return !headOnly(name) && !x.keptBack(named, name)
}

// headOnly tells the fields that mean something in a head alone: what frames, routes or
// redirects a message, says how its content is read or kept, or sets state (RFC 9110
// §6.5.1). Whoever merges trailers into the head would have them decide too late.
func headOnly(name string) bool {
	switch name {
	case "Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Content-Location",
		"Content-Disposition", "Content-Language",
		"Location", "Refresh", "Link", "Retry-After", "Date",
		"Cache-Control", "Expires", "Age", "Pragma", "Vary", "Warning", "Surrogate-Control",
		"Set-Cookie", "Set-Cookie2", "Www-Authenticate",
		"Content-Security-Policy", "Content-Security-Policy-Report-Only", "X-Frame-Options", "X-Content-Type-Options",
		"X-Xss-Protection", "Referrer-Policy", "Permissions-Policy":
		return true
	}
	return strings.HasPrefix(name, "Cross-Origin-")
}
