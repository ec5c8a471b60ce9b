package auth

import (
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/route"
)

// checkBrowser guards a server without a key against web pages (threat row W2): the
// browser of somebody who can reach it must not become everybody's key.
func (a *Authenticator) checkBrowser(r *http.Request) *apierror.Error {
	// A name that rebinding could point here would make a foreign page same-origin.
	authority, ok := route.ParseAuthority(r.Host)
	if !ok || !(authority.IsIP() || authority.IsLoopback() || a.opts.Table.IsNamedHost(authority)) {
		return errMisdirectedHost
	}
	for _, origin := range r.Header["Origin"] {
		if !sameOrigin(origin, authority) {
			return errForeignOrigin
		}
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return errForeignOrigin
		}
	}
	return nil
}

// sameOrigin compares an Origin with the authority the request was sent to. The scheme
// is not compared: who terminates TLS in front is not known here.
func sameOrigin(origin string, authority route.Authority) bool {
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok {
		return false // "null" and everything that is no origin
	}
	other, ok := route.ParseAuthority(host)
	if !ok {
		return false
	}
	return other.Host == authority.Host && other.PortOf(scheme) == authority.PortOf(scheme)
}
