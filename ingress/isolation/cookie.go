package isolation

import (
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Bounds that browsers set (RFC 6265bis §5.6): they ignore a longer pair, and a longer
// attribute, which for Path would mean one of the browser's choosing.
const (
	maxPair      = 4096
	maxAttribute = 1024
	maxCookie    = 8192
)

// Cookies confines the values of Set-Cookie. Values that need no change stay the same
// strings, and the same slice when that is true of all.
func (p Policy) Cookies(values []string) []string {
	for i, v := range values {
		first, ok := p.Cookie(v)
		if ok && first == v {
			continue
		}
		kept := append([]string(nil), values[:i]...)
		for _, v := range values[i:] {
			if c, ok := p.Cookie(v); ok {
				kept = append(kept, c)
			}
		}
		return kept
	}
	return values
}

// Cookie confines one value of Set-Cookie; ok is false for cookies to be dropped.
//
// Domain goes in every mode, so that a sandbox sets cookies for its own host alone. On
// shared origins Path is moved below the route, cookies whose name promises the whole host
// are dropped, and so are those that browsers read differently: without a name, with
// control bytes, or too long.
func (p Policy) Cookie(value string) (confined string, ok bool) {
	pair, attributes, _ := strings.Cut(value, ";")
	if !p.on() {
		if p.Shared {
			return value, true
		}
		return withoutDomain(value), true
	}
	name, _, named := strings.Cut(pair, "=")
	name = strings.TrimSpace(name)
	if !named || name == "" || len(value) > maxCookie || len(pair) > maxPair || wire.HasControl(value) || hasHostPrefix(name) {
		return "", false
	}
	if p.Prefix == "" {
		return withoutDomain(value), true
	}
	var b strings.Builder
	b.Grow(len(value) + len(p.Prefix) + len("; Path=/"))
	b.WriteString(strings.TrimSpace(pair))
	path := ""
	for a := range strings.SplitSeq(attributes, ";") {
		key, val, _ := strings.Cut(a, "=")
		switch key = strings.TrimSpace(key); {
		case strings.EqualFold(key, "path"):
			path = strings.TrimSpace(val) // the last one counts
		case strings.EqualFold(key, "domain"), key == "" && val == "":
		default:
			b.WriteString("; ")
			b.WriteString(strings.TrimSpace(a))
		}
	}
	b.WriteString("; Path=")
	b.WriteString(p.path(path))
	return b.String(), true
}

// path is where a cookie of the sandbox may go: the application believes that it sits at
// the root of its origin.
func (p Policy) path(wanted string) string {
	if below, ok := strings.CutPrefix(wanted, p.Prefix); ok && (below == "" || below[0] == '/') {
		wanted = below // it knows its prefix already
	}
	if !strings.HasPrefix(wanted, "/") || len(p.Prefix)+len(wanted) > maxAttribute {
		wanted = "/"
	}
	return p.Prefix + wanted
}

// withoutDomain takes every Domain attribute off.
func withoutDomain(value string) string {
	pair, attributes, has := strings.Cut(value, ";")
	if !has || !mentions(attributes, "domain") {
		return value
	}
	var b strings.Builder
	b.Grow(len(value))
	b.WriteString(pair)
	for a := range strings.SplitSeq(attributes, ";") {
		key, _, _ := strings.Cut(a, "=")
		if !strings.EqualFold(strings.TrimSpace(key), "domain") {
			b.WriteByte(';')
			b.WriteString(a)
		}
	}
	return b.String()
}

// mentions finds a lower-case word in any case.
func mentions(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if s[i]|0x20 == word[0] && strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// hasHostPrefix tells names that promise a cookie of the whole host, set with Path=/.
// Browsers compare them in any case.
func hasHostPrefix(name string) bool {
	const prefix = "__Host-"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}
