package ingress

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// checkRequest refuses what must not be carried to any sandbox.
func (x *exchange) checkRequest() error {
	if err := x.checkQuery(x.r.URL.RawQuery); err != nil {
		return err
	}
	if err := x.checkLength(); err != nil {
		return err
	}
	x.markEarly()
	return x.checkUpgrade()
}

// checkQuery: the query is copied into the upstream's request line, so it may hold no
// byte that ends it; and it is the one carrier of a key that cannot be dropped
// without changing what the application sees (threat row C2).
func (x *exchange) checkQuery(query string) error {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == 0x7f {
			return errBadQuery
		}
	}
	if x.Keys.Empty() {
		return nil
	}
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		// A key may stand alone or as a name, and may hold a "=" of its own.
		name, value, _ := strings.Cut(pair, "=")
		if x.queryCarriesKey(pair) || x.queryCarriesKey(name) || x.queryCarriesKey(value) {
			return errKeyInQuery
		}
	}
	return nil
}

func (x *exchange) queryCarriesKey(s string) bool {
	if strings.ContainsAny(s, "%+") {
		if decoded, err := url.QueryUnescape(s); err == nil && x.Keys.Carries(decoded) {
			return true
		}
	}
	return s != "" && x.Keys.Carries(s)
}

// checkAccess decides at the edge, before anything is dialled.
func (x *exchange) checkAccess() error {
	if err := x.checkSecure(); err != nil {
		return err
	}
	return x.checkToken()
}

// checkToken asks for the token of the sandbox's daemon: it may have been replaced by the
// workload (threat row A1).
func (x *exchange) checkToken() error {
	want := x.entry.ExecdTokenSum
	if want == nil && x.decision.KeyErr != nil {
		return x.decision.KeyErr // no token stands in for the API key here
	}
	if x.route.Port != wire.PortExecd || want == nil || x.isPing() {
		return nil
	}
	sent := x.r.Header[wire.HeaderExecdToken]
	if len(sent) == 0 || (len(sent) == 1 && sent[0] == "") {
		return errMissingToken
	}
	sum := sha256.Sum256([]byte(sent[0]))
	if len(sent) > 1 || subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
		return errInvalidToken
	}
	x.proven = true
	return nil
}

// isPing is execd's liveness question, which tells nothing and needs no token.
func (x *exchange) isPing() bool {
	return x.r.Method == http.MethodGet && x.route.Path == "/ping" && !x.upgrade
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
