package auth

import (
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/route"
)

// checkBrowser guards a server without a key against web pages (threat row W2): the
// browser of somebody who can reach it must not become everybody's key. host is the one
// the browser used.
func (a *Authenticator) checkBrowser(r *http.Request, host string) *apierror.Error {
	authority, err := a.knownHost(host)
	if err != nil {
		return err
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

// knownHost refuses names that nobody vouches for: one that rebinding points here would
// make a foreign page same-origin.
func (a *Authenticator) knownHost(host string) (route.Authority, *apierror.Error) {
	authority, ok := route.ParseAuthority(host)
	if !ok || !(authority.IsIP() || authority.IsLoopback() || a.opts.Table.IsNamedHost(authority)) {
		return route.Authority{}, errMisdirectedHost
	}
	return authority, nil
}

// SameOrigin tells whether an Origin field names the authority that the client used. The
// scheme is not compared: who terminates TLS in front need not be known.
func SameOrigin(origin, host string) bool {
	authority, ok := route.ParseAuthority(host)
	return ok && sameOrigin(origin, authority)
}

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
