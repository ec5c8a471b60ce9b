package api

import (
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/lifecycle/api/address"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

// endpointRequest is what a request for an endpoint asks for.
type endpointRequest struct {
	port      uint16
	viaServer bool
	signed    bool
	expires   uint64 // Unix seconds; with signed
}

// askedEndpoint reads a request for an endpoint, in the order of contract 04 §4.1 as far
// as no sandbox is needed for it.
func (h *Handler) askedEndpoint(r *request) (endpointRequest, error) {
	var problems decode.Problems
	port, isInt := decode.ParseInt(r.params["port"])
	if !isInt {
		problems.Add(decode.Loc{"path", "port"}, "int_parsing", "must be an integer")
	}
	viaServer := r.truth(&problems, "use_server_proxy")
	text, signed := r.last("expires")
	expires, isInt := decode.ParseInt(text)
	if signed && !isInt {
		problems.Add(decode.Loc{"query", "expires"}, "int_parsing", "must be Unix seconds")
	}
	if err := problems.Err(); err != nil {
		return endpointRequest{}, err
	}
	switch {
	case viaServer && signed:
		return endpointRequest{}, refuseExpires("use_server_proxy cannot be combined with expires: leave one of them out.")
	case signed && h.options.Addresses.Gateway == nil:
		return endpointRequest{}, apierror.New(http.StatusBadRequest, "SANDBOX::API_NOT_SUPPORTED",
			"Signed routes need ingress.mode = \"gateway\", which this server does not have: leave expires out.")
	case port < 1 || port > 65535:
		return endpointRequest{}, errPort()
	case signed && expires <= time.Now().Unix():
		return endpointRequest{}, refuseExpires("expires must be greater than current time, in Unix seconds.")
	}
	return endpointRequest{port: uint16(port), viaServer: viaServer, signed: signed, expires: uint64(max(expires, 0))}, nil
}

// sign makes the signature of a route. In uri form the gateway reads what looks like a
// signature as the application's path when the sandbox demands none, so such a route
// would lead to the wrong place.
func (h *Handler) sign(t address.Target, expires uint64) (text, signature string, err error) {
	policy := h.options.Signatures
	switch {
	case policy == nil:
		return "", "", refuseExpires("Signed routes need keys in ingress.secure_access, and this server has none: leave expires out.")
	case policy.Check(expires, time.Now()) == sign.TooFar:
		return "", "", refuseExpires("expires must not be more than %d seconds ahead (ingress.secure_access.max_signed_ttl_seconds).",
			int64(policy.MaxTTL/time.Second))
	case h.options.Addresses.Gateway.Mode == address.URI && !t.Secured:
		return "", "", refuseExpires("The routes of this sandbox need no signature: leave expires out.")
	}
	r, signature := policy.Keys.Mint(t.SandboxID, t.Port, expires)
	return r.Expires, signature, nil
}

func refuseExpires(format string, args ...any) error {
	return apierror.New(http.StatusBadRequest, decode.Code, format, args...)
}
