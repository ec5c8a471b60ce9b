package proxy

import (
	"net/http"
	"strconv"
	"strings"
)

// prefix is where the backend is seen at the daemon.
func (t target) prefix() string { return "/proxy/" + strconv.Itoa(t.port) }

// outerPrefix is what a front says that the daemon is seen under; "" = at the root.
func outerPrefix(h http.Header) string {
	prefix := strings.TrimRight(h.Get("X-Forwarded-Prefix"), "/")
	if !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") {
		return ""
	}
	return prefix
}

// publicLocation translates a Location of the backend, which believes that it sits at the
// root: it leads below the backend's own prefix again, and never to another path of the
// daemon. What names another authority stays as it is; a front decides about that. ok is
// false when readers could disagree about where it leads.
func (t target) publicLocation(location string) (public string, ok bool) {
	if strings.ContainsFunc(location, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return "", false
	}
	rest, absolute, own := t.cutAuthority(location)
	if !own {
		return location, true
	}
	path, tail := rest, ""
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		path, tail = rest[:i], rest[i:]
	}
	// Beside a byte that no URL may hold, clients of package url take "%2f" for a slash.
	path = clean(path)
	switch {
	case path == "" && !absolute:
		return location, true // the same path
	case path == "":
		path = "/"
	case path[0] != '/':
		path = t.url.RawPath[:strings.LastIndexByte(t.url.RawPath, '/')+1] + path
	}
	for _, prefix := range []string{t.outer + t.prefix(), t.prefix()} {
		if below, ok := strings.CutPrefix(path, prefix); ok && (below == "" || below[0] == '/') {
			return prefix + withoutDots(below) + tail, true // a backend that knows its prefix
		}
	}
	return t.prefix() + withoutDots(path) + tail, true
}

// cutAuthority removes scheme and authority when they are the backend's.
func (t target) cutAuthority(location string) (rest string, absolute, own bool) {
	rest = location
	if i := strings.IndexAny(location, ":/?#"); i >= 0 && location[i] == ':' {
		scheme := location[:i]
		if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
			return "", true, false
		}
		if rest = location[i+1:]; !strings.HasPrefix(rest, "//") {
			return "", true, false
		}
	}
	rest, absolute = strings.CutPrefix(rest, "//")
	if !absolute {
		return rest, false, true
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, rest = rest[:i], rest[i:]
	} else {
		rest = ""
	}
	if authority == "" { // "///x" is a path of this origin to some
		return rest, true, true
	}
	port := ":" + strconv.Itoa(t.port)
	for _, ours := range []string{t.host, "127.0.0.1" + port, "localhost" + port, "[::1]" + port} {
		if ours != "" && strings.EqualFold(authority, ours) {
			return rest, true, true
		}
	}
	return "", true, false
}

// withoutDots resolves dot segments, also encoded ones, without leaving the root.
func withoutDots(path string) string {
	if !strings.Contains(path, "/") {
		return path
	}
	var kept []string
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}
