package route

import (
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Request is all of a request that Classify may look at.
type Request struct {
	Method string
	// Protocol is the :protocol of an HTTP/2 or HTTP/3 request, which only an extended
	// CONNECT may have (RFC 8441, RFC 9220); "" = none.
	Protocol string
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
		Protocol:        protocol(r),
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

// protocol finds the :protocol pseudo-header where the two server libraries leave it:
// HTTP/2's in the header map, under a name that no HTTP/1.1 request can send, and HTTP/3's
// in place of the version.
func protocol(r *http.Request) string {
	switch {
	case r.ProtoMajor == 2:
		if values := r.Header[":protocol"]; len(values) > 0 {
			return values[0]
		}
	case r.ProtoMajor == 3 && r.Proto != "HTTP/3.0":
		return r.Proto
	}
	return ""
}
