package api

import (
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

// maxPairs bounds the parameters of one query.
const maxPairs = 1024

// parseQuery reads a form query. Unlike net/url it takes ";" as an ordinary
// character and a broken escape literally, as the reference does.
func parseQuery(raw string) url.Values {
	values := url.Values{}
	pairs := strings.SplitN(raw, "&", maxPairs+1)
	for _, pair := range pairs[:min(len(pairs), maxPairs)] {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		values.Add(unescape(key), unescape(value))
	}
	return values
}

func unescape(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return strings.ReplaceAll(s, "+", " ")
}

// last returns the value of a scalar parameter: when repeated, the last one counts.
func (r *request) last(name string) (string, bool) {
	values := r.query[name]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

// intBetween reads an integer parameter; outside the bounds is a violation.
func (r *request) intBetween(p *decode.Problems, name string, least, most, absent int64) int64 {
	text, given := r.last(name)
	if !given {
		return absent
	}
	loc := decode.Loc{"query", name}
	n, ok := decode.ParseInt(text)
	switch {
	case !ok:
		p.Add(loc, "int_parsing", "must be an integer")
	case n < least:
		p.Add(loc, "greater_than_equal", "must be at least "+strconv.FormatInt(least, 10))
	case n > most:
		p.Add(loc, "less_than_equal", "must be at most "+strconv.FormatInt(most, 10))
	default:
		return n
	}
	return absent
}

// truth reads a boolean parameter.
func (r *request) truth(p *decode.Problems, name string) bool {
	text, given := r.last(name)
	if !given {
		return false
	}
	truth, ok := decode.ParseBool(text)
	if !ok {
		p.Add(decode.Loc{"query", name}, "bool_parsing", "must be true or false")
	}
	return truth
}

// paging reads page and pageSize (contract 01 §7.3).
func (r *request) paging(p *decode.Problems) (page, size int64) {
	return r.intBetween(p, "page", 1, math.MaxInt64, 1), r.intBetween(p, "pageSize", 1, 200, 20)
}

// metadataFilter reads the list filter, which holds a query within a query value.
// Some clients encode it once and some twice; decoding twice serves both, because
// labels hold neither "%" nor "+" (contract 01 §7.3).
func (r *request) metadataFilter() (map[string]string, error) {
	text, given := r.last("metadata")
	if !given || text == "" {
		return nil, nil
	}
	filter := map[string]string{}
	for _, pair := range strings.Split(text, "&") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, apierror.New(http.StatusBadRequest, "INVALID_METADATA_FORMAT",
				"The metadata filter must be key=value pairs joined by &, URL-encoded as one parameter.")
		}
		filter[unescape(key)] = unescape(value)
	}
	return filter, nil
}
