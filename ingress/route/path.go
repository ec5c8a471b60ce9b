package route

import (
	"net/url"
	"strings"
)

// probePath reports whether a path is a liveness probe's (contract 04 §7.5).
func probePath(path string) bool { return path == "/health" || path == "/status.ok" }

// publicPath reports whether a path needs no key: exact paths, and the assets below
// the two documentation pages.
func publicPath(path string) bool {
	switch path {
	case "/openapi.json", "/docs", "/redoc":
		return true
	}
	return probePath(path) || strings.HasPrefix(path, "/docs/") || strings.HasPrefix(path, "/redoc/")
}

// nextSegment cuts the first segment off an escaped path that begins with a slash.
// rest is empty or begins with a slash.
func nextSegment(path string) (segment, rest string) {
	if path == "" {
		return "", ""
	}
	path = path[1:]
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// decodeSegment undoes percent-encoding of one routing segment. ok is false when the
// segment could be read in two ways: an encoded separator or NUL, a backslash, a dot
// segment, a broken escape (threat row R1).
func decodeSegment(s string) (decoded string, ok bool) {
	decoded = s
	if strings.IndexByte(s, '%') >= 0 {
		var err error
		if decoded, err = url.PathUnescape(s); err != nil {
			return "", false
		}
		if strings.ContainsAny(decoded, "/\x00") {
			return "", false
		}
	}
	if decoded == "." || decoded == ".." || strings.IndexByte(decoded, '\\') >= 0 {
		return "", false
	}
	return decoded, true
}

// unambiguous reports whether every segment of a path reads in one way only.
func unambiguous(path string) bool {
	for path != "" {
		var segment string
		segment, path = nextSegment(path)
		if _, ok := decodeSegment(segment); !ok {
			return false
		}
	}
	return true
}

// legalTarget refuses bytes that no request target may hold; what is left can be
// written to an upstream request line as it is.
func legalTarget(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c == 0x7f || c == '#' || c == '?' {
			return false
		}
	}
	return true
}

// orRoot is the upstream path for what is left of a path after its routing segments.
func orRoot(rest string) string {
	if rest == "" {
		return "/"
	}
	return rest
}
