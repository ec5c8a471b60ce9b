package api

import (
	"crypto/sha256"
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

// The headers by which a client says how a create is to be carried out.
const (
	headerPrefer         = "Prefer"
	headerApplied        = "Preference-Applied"
	headerIdempotencyKey = "Idempotency-Key"

	respondAsync = "respond-async"
	// maxIdempotencyKey bounds a key, in octets.
	maxIdempotencyKey = 255
)

// prefers tells whether a request has a preference (RFC 7240): names in any case, some of
// them with values and parameters, in any number of fields.
func prefers(h http.Header, name string) bool {
	for _, field := range h.Values(headerPrefer) {
		for preference := range strings.SplitSeq(field, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			if strings.EqualFold(strings.TrimSpace(preference), name) {
				return true
			}
		}
	}
	return false
}

// idempotent notes the key that makes repetitions of a request harmless, and what a
// repetition is known by. The key is one text of visible characters and spaces.
func idempotent(c *lifecycle.CreateRequest, h http.Header, body []byte) error {
	keys := h.Values(headerIdempotencyKey)
	if len(keys) == 0 {
		return nil
	}
	key := strings.TrimSpace(keys[0])
	visible := strings.IndexFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) < 0
	if len(keys) > 1 || key == "" || len(key) > maxIdempotencyKey || !visible {
		return decode.Invalid(decode.Loc{"header", headerIdempotencyKey}, "idempotency_key",
			"must be one value of 1 to 255 visible ASCII characters, such as a UUID")
	}
	c.IdempotencyKey, c.Content = key, sha256.Sum256(body)
	return nil
}
