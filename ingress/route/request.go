package route

import (
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Request is all of a request that Classify may look at.
type Request struct {
	Method string
	// Authority is the protocol's own: the Host field of HTTP/1.1 or :authority.
	Authority string
	// TargetAuthority is the authority of an absolute-form target; "" in the other forms.
	TargetAuthority string
	// HostFields are Host fields that arrived beside Authority. HTTP/2 allows one if it
	// says the same.
	HostFields []string
	// Path is the escaped path exactly as it arrived, without the query.
	Path string
	// IngressTo and IngressToLegacy are all values of the two routing headers.
	IngressTo       []string
	IngressToLegacy []string
}

// FromHTTP reads a server request. The path comes from the request line rather than
// from URL.EscapedPath, which re-encodes paths with unusual bytes.
//
// For an HTTP/1.1 absolute-form target net/http itself drops the Host field (RFC 9112
// §3.2.2 tells it to), so the target is then the only authority there is.
func FromHTTP(r *http.Request) Request {
	req := Request{
		Method:          r.Method,
		Authority:       r.Host,
		HostFields:      r.Header["Host"],
		IngressTo:       r.Header[wire.HeaderIngressTo],
		IngressToLegacy: r.Header[wire.HeaderIngressToLegacy],
	}
	req.Path, req.TargetAuthority = splitTarget(r)
	return req
}

// splitTarget returns the escaped path of the request target and, in absolute form, its authority.
func splitTarget(r *http.Request) (path, authority string) {
	target, _, _ := strings.Cut(r.RequestURI, "?")
	if strings.HasPrefix(target, "/") {
		return target, ""
	}
	if target == "" { // a request that was not read from a connection
		return r.URL.EscapedPath(), ""
	}
	_, rest, absolute := strings.Cut(target, "://")
	if !absolute {
		return target, ""
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return "/", rest
	}
	return rest[slash:], rest[:slash]
}
