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
// what the server set before (Date, Server), so that nothing is sent twice.
func (x *exchange) copyResponseHeader(from http.Header) {
	to := x.w.Header()
	for name, values := range from {
		switch {
		case x.keptBack(from, name):
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
// questions; what listens there may be the workload (threat row W1). head is the one
// that came with the field.
func (x *exchange) keptBack(head http.Header, name string) bool {
	return isHopByHop(name) || name == wire.HeaderRequestID || commandsProxies(name) || x.isolation().Drops(name) ||
		namedByConnection(head, name) || x.ownDaemon() && isCORS(name)
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
func (x *exchange) interimAllowed(head http.Header, name string) bool {
	switch name {
	case "Content-Length", "Location", "Set-Cookie":
		return false
	}
	return !isCORS(name) && !x.keptBack(head, name)
}

// announceTrailers declares the trailers that the sandbox announced.
func (x *exchange) announceTrailers(head, trailer http.Header) (announced int) {
	for name := range trailer {
		if x.trailerPasses(head, name) {
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
	for name, values := range trailer {
		if !x.trailerPasses(head, name) {
			continue
		}
		if !exact {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
}

func (x *exchange) trailerPasses(head http.Header, name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Content-Length", "Location", "Set-Cookie":
		return false
	}
	return !x.keptBack(head, name)
}
