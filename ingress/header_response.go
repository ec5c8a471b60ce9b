package ingress

import (
	"net/http"
	"net/textproto"
	"slices"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// copyResponseHeader puts the sandbox's end-to-end headers on ours. Its values replace
// what the server set before (Date, Server), so that nothing is sent twice.
func (x *exchange) copyResponseHeader(from http.Header) {
	to := x.w.Header()
	for name, values := range from {
		switch {
		case isHopByHop(name), name == wire.HeaderRequestID, namedByConnection(from, name):
		case name == "Vary":
			to[name] = append(slices.Clip(to[name]), values...)
		default:
			to[name] = values
		}
	}
	// On the ports of our daemons the edge answers cross-origin questions; what listens
	// there may be the workload (threat row W1).
	if x.ownDaemon() {
		x.CORS.Apply(to, x.r)
	}
}

// announceTrailers declares the trailers that the sandbox announced.
func (x *exchange) announceTrailers(trailer http.Header) (announced int) {
	for name := range trailer {
		if trailerResponseAllowed(name) {
			x.w.Header().Add("Trailer", name)
			announced++
		}
	}
	return announced
}

// copyTrailers sends them; more may have come than were announced.
func (x *exchange) copyTrailers(trailer http.Header, announced int) {
	h := x.w.Header()
	exact := announced == len(trailer)
	for name, values := range trailer {
		if !trailerResponseAllowed(name) {
			continue
		}
		if !exact {
			name = http.TrailerPrefix + name
		}
		h[name] = values
	}
}

func trailerResponseAllowed(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch name {
	case "Content-Length", "Location", "Set-Cookie", wire.HeaderRequestID:
		return false
	}
	return !isHopByHop(name)
}
