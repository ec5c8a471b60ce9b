package isolation

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Mode is how far isolation goes on shared origins.
type Mode uint8

// The modes, as in ingress.shared_origin_isolation.
const (
	Cookies Mode = iota // origin-wide fields dropped, cookies confined, worker scripts refused
	Strict              // also: documents sandboxed, cookies and Basic credentials withheld
	Off                 // nothing
)

// ParseMode reads "cookies", "strict" or "off".
func ParseMode(s string) (Mode, error) {
	switch s {
	case "cookies":
		return Cookies, nil
	case "strict":
		return Strict, nil
	case "off":
		return Off, nil
	}
	return 0, fmt.Errorf("shared origin isolation %q is not cookies, strict or off", s)
}

// Policy is what holds for one exchange.
type Policy struct {
	Mode Mode
	// Shared tells that the origin serves more than this one sandbox: direct, uri and header
	// routes. On an origin of its own only the Domain of cookies is taken away.
	Shared bool
	// Prefix is the path under which the sandbox sits in its origin, without a trailing
	// slash; "" on wildcard routes, and on header routes, where all sandboxes share every
	// path and cookies can only be kept on the host.
	Prefix string
}

func (p Policy) on() bool { return p.Shared && p.Mode != Off }

// Drops tells the response fields, by canonical name, that act on more than the sandbox's
// own documents. It holds for interim answers and trailers, too.
func (p Policy) Drops(name string) bool { return p.on() && originWide(name) }

func originWide(name string) bool {
	switch name {
	case "Service-Worker-Allowed", // a worker for paths of others
		"Clear-Site-Data", "Strict-Transport-Security", "Public-Key-Pins", "Public-Key-Pins-Report-Only", "Expect-Ct",
		"Alt-Svc",                                 // sends the origin's requests elsewhere
		"Nel", "Report-To", "Reporting-Endpoints", // report the URLs of others
		"Use-As-Dictionary", "Get-Dictionary", // answers of others decode with it
		"Set-Login", "Origin-Agent-Cluster", "Accept-Ch", "Critical-Ch", // state of the origin in the browser
		"Sec-Session-Registration", "Secure-Session-Registration", "Shared-Storage-Write",
		"Set-Cookie2":
		return true
	}
	return false
}

// sandboxed gives a document an origin of its own: it reads no cookie, storage or
// document of its neighbours and registers no worker.
const sandboxed = "sandbox allow-scripts allow-forms allow-popups allow-downloads"

// Document adds to the head of a final answer what confines the document it may hold. Every
// policy in a head counts, so the application's own stays and cannot loosen ours. What
// is a document is the browser's guess, so all answers get it.
func (p Policy) Document(h http.Header) {
	if p.on() && p.Mode == Strict {
		const name = "Content-Security-Policy"
		h[name] = append(slices.Clip(h[name]), sandboxed)
	}
}

// Withholds tells the values of request fields, by canonical name, that a browser attaches
// by itself and that may belong to the origin's other tenants.
func (p Policy) Withholds(name, value string) bool {
	if !p.on() || p.Mode != Strict {
		return false
	}
	switch name {
	case "Cookie":
		return true
	case "Authorization":
		scheme, _, _ := strings.Cut(value, " ")
		return strings.EqualFold(scheme, "Basic")
	}
	return false
}

// Worker tells a browser's request for a service worker script, which could answer for
// documents of others.
func (p Policy) Worker(h http.Header) bool {
	if !p.on() {
		return false
	}
	return contains(h["Service-Worker"], "script") || contains(h["Sec-Fetch-Dest"], "serviceworker")
}

func contains(values []string, want string) bool {
	for _, v := range values {
		if strings.EqualFold(strings.TrimSpace(v), want) {
			return true
		}
	}
	return false
}
