package ingress

import (
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// checkUpgrade recognises WebSocket handshakes by tokens in any case and any place, as
// browsers send them, and refuses the ones that would desynchronise a connection
// (threat row B3). Other protocols' upgrades are not offered to the sandbox.
func (x *exchange) checkUpgrade() error {
	h := x.r.Header
	if !httpguts.HeaderValuesContainsToken(h["Upgrade"], "websocket") {
		return nil
	}
	if x.r.ProtoMajor != 1 || x.r.ProtoMinor == 0 || x.r.Method != http.MethodGet || x.r.ContentLength != 0 ||
		len(x.r.TransferEncoding) > 0 || !httpguts.HeaderValuesContainsToken(h["Connection"], "upgrade") {
		// Where this message ends is anybody's guess.
		x.w.Header().Set("Connection", "close")
		return errBadUpgrade
	}
	x.upgrade = true
	return nil
}
