package ingress

import (
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/auth"
)

// checkRequest refuses what must not be carried to any sandbox.
func (x *exchange) checkRequest() error {
	if err := x.checkQuery(x.r.URL.RawQuery); err != nil {
		return err
	}
	if err := x.checkLength(); err != nil {
		return err
	}
	if _, ok := connectionOptions(x.r.Header["Connection"]); !ok {
		return errOptions
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
		if carriesKey(x.Keys, pair) || strings.IndexByte(pair, '+') >= 0 && carriesKey(x.Keys, strings.ReplaceAll(pair, "+", " ")) {
			return errKeyInQuery
		}
	}
	return nil
}

// checkLength refuses a length that is not the body's. HTTP/1.1 is read by it, so there
// is nothing to compare; in HTTP/2 the field is only a claim (RFC 9113 §8.1.1).
func (x *exchange) checkLength() error {
	values := x.r.Header["Content-Length"]
	if x.r.ProtoMajor < 2 || len(values) == 0 {
		return nil
	}
	if n, err := strconv.ParseUint(values[0], 10, 63); len(values) > 1 || err != nil || int64(n) != x.r.ContentLength {
		return errBadLength
	}
	return nil
}

// markEarly tells the sandbox that a request may be a replay, as an intermediary has to
// (RFC 8470 §5.1): what the edge takes for safe to repeat the application may not.
func (x *exchange) markEarly() {
	if !auth.IsEarly(x.r) {
		return
	}
	r := x.r.WithContext(x.r.Context())
	r.Header = r.Header.Clone()
	r.Header["Early-Data"] = []string{"1"}
	x.r = r
}
