package ingress

import (
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// withoutKeys takes API keys out of a header value, whatever the header: clients put them
// into cookies, subprotocols, tokens and schemes of Authorization (threat row C2). ok is
// false when nothing is left. A value without a key stays the same string.
func (x *exchange) withoutKeys(name, value string) (clean string, ok bool) {
	if x.Keys.Empty() {
		return value, true
	}
	if !carriesKey(x.Keys, value) {
		return value, true
	}
	switch name {
	case "Cookie":
		return x.withoutKeyItems(value, ";")
	case "Sec-Websocket-Protocol", wire.HeaderExecdToken, wire.HeaderEgressToken:
		return x.withoutKeyItems(value, ",")
	}
	return "", false
}

// holdsKey tells whether a header value would not pass as it is.
func (x *exchange) holdsKey(name, value string) bool {
	clean, ok := x.withoutKeys(name, value)
	return !ok || clean != value
}

// withoutKeyItems drops the items of a list that hold keys, and the whole list where a key
// is still there without them.
func (x *exchange) withoutKeyItems(value, separator string) (clean string, ok bool) {
	var kept []string
	for item := range strings.SplitSeq(value, separator) {
		if !carriesKey(x.Keys, item) {
			kept = append(kept, item)
		}
	}
	clean = strings.TrimSpace(strings.Join(kept, separator))
	return clean, clean != "" && !carriesKey(x.Keys, clean)
}

// carriesCredential tells whether the client showed a key or token, good or bad, that
// it would also take along a redirect (threat row C1).
func (x *exchange) carriesCredential() bool {
	if x.decision.Allowed {
		return true
	}
	for name, values := range x.r.Header {
		switch name {
		case wire.HeaderAPIKey, wire.HeaderExecdToken, wire.HeaderEgressToken, wire.HeaderSecureAccess:
			return true
		}
		for _, v := range values {
			if x.holdsKey(name, v) {
				return true
			}
		}
	}
	return false
}
