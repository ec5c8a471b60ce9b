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

	// Err is set when the request is ambiguous or malformed (status 400), uses CONNECT
	// or TRACE (405) or names a host that is not served (421). Class is then None, and no
	// handler but the error writer may act on the request.
	Err *apierror.Error
}
