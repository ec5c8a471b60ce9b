package route

import "github.com/opensandbox-edge/edge/apierror"

// Class is what a request is for.
type Class uint8

// The classes. The zero value is None so that a forgotten verdict opens nothing.
const (
	None    Class = iota // nothing of ours: 404
	Public               // health, documentation pages and their assets: no key
	API                  // the lifecycle API: key required
	Proxy                // /sandboxes/{id}/proxy/{port}/… on an API host
	Gateway              // wildcard host, uri or header route into a sandbox
)

// Form is how a sandbox route was written; metrics are labelled with it.
type Form uint8

// The route forms.
const (
	FormNone     Form = iota
	FormDirect        // /sandboxes/{id}/proxy/{port}/…
	FormWildcard      // {id}-{port}.base
	FormURI           // /{id}/{port}/…
	FormHeader        // OpenSandbox-Ingress-To: {id}-{port}
)

// String is the form's name in metrics, logs and placeholders; "" for FormNone.
func (f Form) String() string {
	switch f {
	case FormDirect:
		return "direct"
	case FormWildcard:
		return "wildcard"
	case FormURI:
		return "uri"
	case FormHeader:
		return "header"
	}
	return ""
}

// Verdict is the result of Classify, made once per request.
type Verdict struct {
	Class Class
	Form  Form // with Proxy and Gateway

	SandboxID string // with Proxy and Gateway
	Port      uint16 // 1…65535, with Proxy and Gateway

	// Path is the escaped path to send upstream, byte-exact, always with a leading slash.
	Path string
	// Prefix is the escaped path prefix that Path was cut from ("" on wildcard and
	// header routes), without a trailing slash.
	Prefix string

	// Signed route parts; both empty on unsigned routes. They are parsed here and
	// verified by the access decision.
	ExpiresB36 string
	Signature  string
	// plain is the other reading of a uri route that looks signed; see Unsigned.
	plain reading

	// Err is set when the request is ambiguous or malformed (status 400), uses plain CONNECT
	// or TRACE (405) or a protocol other than websocket (501), or names a host that is
	// not served (421). Class is then None, and no
	// handler but the error writer may act on the request.
	Err *apierror.Error
}

// reading is where a path was cut into the route and what goes upstream.
type reading struct{ prefix, path string }

// Unsigned is the verdict for a sandbox that demands no access verification. The two
// segments that made its uri route look signed are then the application's own, as in
// /{id}/8080/static/deadbeef1/app.js, and stay in Path (contract 04 §3.3). In the other
// forms a signature is no part of the path, so they only lose it.
func (v Verdict) Unsigned() Verdict {
	if v.Form == FormURI && v.Signature != "" {
		v.Prefix, v.Path = v.plain.prefix, v.plain.path
	}
	v.ExpiresB36, v.Signature, v.plain = "", "", reading{}
	return v
}
