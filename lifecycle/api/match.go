package api

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// access says who may use a route.
type access uint8

const (
	needsKey   access = iota // served at the root and under /v1
	public                   // served at the root alone, without a key
	monitoring               // served at the root alone, with a key, whatever the load
)

// anyMethod stands in a row for every method, also those nobody has heard of.
const anyMethod = "*"

// anyRest ends a pattern that also matches everything below it.
const anyRest = "{rest...}"

// endpointFunc answers one matched request; an error is turned into the answer.
type endpointFunc func(w http.ResponseWriter, r *request) error

// request is one matched request.
type request struct {
	*http.Request
	params map[string]string // decoded path parameters
	prefix string            // "" or "/v1": the mount the request came through
	query  url.Values
	host   string // the authority that the client used
	client string // the name of its API key; "" without one
}

// endpoint is one row of the route table.
type endpoint struct {
	method  string
	pattern string // "/sandboxes/{sandboxId}"
	access  access
	serve   endpointFunc
}

// table finds endpoints by escaped path. net/http's own mux is not used: it cleans
// paths and redirects, and the classifier in front of us has already decided on the
// path as it was sent (threat R1).
type table struct{ patterns []pattern }

type pattern struct {
	segments []string
	access   access
	methods  map[string]endpointFunc
}

// match is what table.find found.
type match struct {
	*pattern
	params map[string]string
	prefix string
	// redirect is the path without its trailing slash, when only that one exists.
	redirect string
}

func newTable(endpoints []endpoint) *table {
	t := &table{}
	for _, e := range endpoints {
		segments := strings.Split(strings.TrimPrefix(e.pattern, "/"), "/")
		at := slices.IndexFunc(t.patterns, func(p pattern) bool { return slices.Equal(p.segments, segments) })
		if at < 0 {
			at = len(t.patterns)
			t.patterns = append(t.patterns, pattern{segments, e.access, map[string]endpointFunc{}})
		}
		t.patterns[at].methods[e.method] = e.serve
	}
	return t
}

// find matches an escaped path; ok is false when nothing of ours is there.
func (t *table) find(escaped string) (m match, ok bool) {
	if m, ok = t.exact(escaped); ok {
		return m, true
	}
	if bare, cut := strings.CutSuffix(escaped, "/"); cut && bare != "" {
		if m, ok = t.exact(bare); ok {
			m.redirect = bare
			return m, true
		}
	}
	return match{}, false
}

func (t *table) exact(escaped string) (match, bool) {
	path, rooted := strings.CutPrefix(escaped, "/")
	if !rooted {
		return match{}, false
	}
	prefix := ""
	if rest, versioned := strings.CutPrefix(path, "v1/"); versioned {
		path, prefix = rest, "/v1"
	}
	segments := strings.Split(path, "/")
	for i := range t.patterns {
		p := &t.patterns[i]
		if prefix != "" && p.access != needsKey {
			continue
		}
		if params, ok := p.bind(segments); ok {
			return match{pattern: p, params: params, prefix: prefix}, true
		}
	}
	return match{}, false
}

// bind compares segment by segment. Literals must be spelled literally; a parameter
// is decoded after the split, and one that decodes to a separator is no match.
func (p *pattern) bind(segments []string) (map[string]string, bool) {
	wanted := p.segments
	if last := len(wanted) - 1; wanted[last] == anyRest && len(segments) >= last {
		wanted, segments = wanted[:last], segments[:last]
	}
	if len(segments) != len(wanted) {
		return nil, false
	}
	var params map[string]string
	for i, want := range wanted {
		name, isParam := strings.CutPrefix(want, "{")
		if !isParam {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(segments[i])
		if err != nil || value == "" || strings.ContainsAny(value, "/\\\x00") {
			return nil, false
		}
		if params == nil {
			params = make(map[string]string, 2)
		}
		params[strings.TrimSuffix(name, "}")] = value
	}
	return params, true
}

// serving is what answers method, nil if nothing does.
func (p *pattern) serving(method string) endpointFunc {
	if serve, ok := p.methods[method]; ok {
		return serve
	}
	return p.methods[anyMethod]
}

// allow lists the pattern's methods for the Allow header.
func (p *pattern) allow() string {
	methods := make([]string, 0, len(p.methods))
	for method := range p.methods {
		methods = append(methods, method)
	}
	slices.Sort(methods)
	return strings.Join(methods, ", ")
}
