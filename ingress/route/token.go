package route

import (
	"strings"

	"github.com/opensandbox-edge/edge/internal/wire"
)

const signatureLen = 9 // 8 hex digits and the key id

// token is a parsed route token: {id}-{port} or {id}-{port}-{expires}-{signature}.
type token struct {
	id                 string
	port               uint16
	expires, signature string
}

// parseToken reads a route token from the right, because ids contain dashes.
// A signature has nine characters and a port at most five, so no token is both.
func parseToken(s string) (token, bool) {
	rest, last, ok := cutLast(s)
	if !ok {
		return token{}, false
	}
	var t token
	if port, ok := parsePort(last); ok {
		t = token{id: rest, port: port}
		return t, wire.ValidID(t.id)
	}
	if !validSignature(last) {
		return token{}, false
	}
	t.signature = last
	if rest, t.expires, ok = cutLast(rest); !ok || !validExpiry(t.expires) {
		return token{}, false
	}
	if t.id, last, ok = cutLast(rest); !ok {
		return token{}, false
	}
	if t.port, ok = parsePort(last); !ok {
		return token{}, false
	}
	return t, wire.ValidID(t.id)
}

// parseHeaderToken reads the value of a routing header: a token, optionally written
// as a URL or host (contract 04 §3.1).
func parseHeaderToken(s string) (token, bool) {
	label, _, _ := strings.Cut(TrimScheme(s), ".")
	return parseToken(label)
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// parsePort is the one port grammar: 1…65535 in decimal, no sign, no leading zero.
func parsePort(s string) (uint16, bool) {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	if n > 65535 {
		return 0, false
	}
	return uint16(n), true
}

func validPort(s string) bool {
	_, ok := parsePort(s)
	return ok
}

// isNumber tells a port that is out of range from a segment that is no port at all.
func isNumber(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func validSignature(s string) bool {
	if len(s) != signatureLen {
		return false
	}
	for i := range signatureLen - 1 {
		if c := s[i]; !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return isBase36(s[signatureLen-1])
}

func validExpiry(s string) bool {
	_, ok := wire.ParseExpiry(s)
	return ok
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isBase36(c byte) bool { return isDigit(c) || ('a' <= c && c <= 'z') }

func isAlphanumeric(c byte) bool { return isBase36(c) || ('A' <= c && c <= 'Z') }
