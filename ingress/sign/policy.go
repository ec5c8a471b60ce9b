package sign

import (
	"time"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Policy is a key set under a server's rule: nothing is signed further ahead than MaxTTL,
// and nothing beyond is accepted. A guesser chooses the expiry, so without the rule one
// lucky guess would be access for ever (threat row A4).
type Policy struct {
	Keys   *Keys
	MaxTTL time.Duration // positive
}

// Check says whether a route may expire then: Expired (at or before now), TooFar or Valid.
func (p *Policy) Check(expires uint64, now time.Time) Outcome {
	at := uint64(max(now.Unix(), 0))
	switch {
	case expires <= at:
		return Expired
	case expires-at > uint64(p.MaxTTL/time.Second):
		return TooFar
	}
	return Valid
}

// Verify is Keys.Verify under the rule. The second in which a route expires still counts.
func (p *Policy) Verify(r Route, signature string, now time.Time) Outcome {
	expires, ok := wire.ParseExpiry(r.Expires)
	if ok && p.Check(expires, now) == TooFar {
		return TooFar
	}
	return p.Keys.Verify(r, signature, now)
}
