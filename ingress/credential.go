package ingress

import (
	"encoding/base64"
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
	switch name {
	case "Cookie":
		return x.withoutKeyItems(value, ";")
	case "Sec-Websocket-Protocol", wire.HeaderExecdToken, wire.HeaderEgressToken:
		return x.withoutKeyItems(value, ",")
	}
	return value, !x.isKey(value)
}

// holdsKey tells whether a header value would not pass as it is.
func (x *exchange) holdsKey(name, value string) bool {
	clean, ok := x.withoutKeys(name, value)
	return !ok || clean != value
}

// withoutKeyItems drops the items of a list that are keys, or cookies of that value.
func (x *exchange) withoutKeyItems(value, separator string) (clean string, ok bool) {
	found := false
	for item := range strings.SplitSeq(value, separator) {
		if found = x.isKeyItem(item); found {
			break
		}
	}
	if !found {
		return value, true
	}
	var kept []string
	for item := range strings.SplitSeq(value, separator) {
		if !x.isKeyItem(item) {
			kept = append(kept, item)
		}
	}
	clean = strings.TrimSpace(strings.Join(kept, separator))
	return clean, clean != ""
}

func (x *exchange) isKeyItem(item string) bool {
	item = strings.TrimSpace(item)
	if x.isKey(item) {
		return true
	}
	_, value, ok := strings.Cut(item, "=")
	return ok && x.isKey(strings.Trim(value, "\" \t"))
}

// isKey tells a key by itself, behind a scheme, or as one half of Basic credentials.
func (x *exchange) isKey(value string) bool {
	if x.Keys.Carries(value) {
		return true
	}
	scheme, rest, ok := strings.Cut(value, " ")
	if !ok {
		return false
	}
	rest = strings.TrimLeft(rest, " ")
	if x.Keys.Carries(rest) {
		return true
	}
	if !strings.EqualFold(scheme, "Basic") {
		return false
	}
	decoded, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		decoded, err = base64.RawStdEncoding.DecodeString(rest)
	}
	if err != nil {
		return false
	}
	user, password, _ := strings.Cut(string(decoded), ":")
	return x.Keys.Carries(user) || x.Keys.Carries(password)
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
