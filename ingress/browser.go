package ingress

import (
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// checkBrowser refuses what only a page that means harm makes a browser ask for, whatever
// the protocol version: service workers on origins with several sandboxes (threat row
// W3), and requests of other sites that act with the user's cookies (threat row W5).
func (x *exchange) checkBrowser() error {
	if x.isolation().Worker(x.r.Header) {
		return errWorker
	}
	if x.AllowCrossSite || len(x.r.Header["Cookie"]) == 0 || !x.upgrade && wire.IsSafe(x.r.Method) {
		return nil
	}
	for _, origin := range x.r.Header["Origin"] {
		if auth.SameOrigin(origin, x.decision.Host) || x.ownDaemon() && x.CORS.Trusts(origin) {
			continue
		}
		return errCrossSite
	}
	return nil
}
