package auth

import (
	"net/http"

	"golang.org/x/net/http/httpguts"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// checkReplay refuses what must not happen twice while it may be a recording: TLS 1.3
// lets a client send its first request before the handshake is complete, and whoever has
// seen those packets can send them again (threat row B6). The client repeats it when the
// handshake is done (RFC 8470). WebSockets are refused as well: what follows on them is
// not known yet.
func checkReplay(r *http.Request) *apierror.Error {
	if !IsEarly(r) && r.Header.Get("Early-Data") != "1" {
		return nil
	}
	if wire.IsSafe(r.Method) && !httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket") {
		return nil
	}
	return errTooEarly
}

// IsEarly tells requests that came in TLS early data, of a handshake that is not complete.
func IsEarly(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }
