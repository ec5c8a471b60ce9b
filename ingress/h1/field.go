package h1

import (
	"errors"
	"strings"
)

// ErrMalformed is an answer that is no HTTP/1.1, or that readers could understand in
// different ways.
var ErrMalformed = errors.New("malformed HTTP/1.1 answer")

// protocol is how every answer begins.
const protocol = "HTTP/1."

// ParseStatus parses a status line without its end: "HTTP/1.1 200 OK", the reason being
// optional. minor is 0 or 1.
func ParseStatus(line string) (minor, status int, err error) {
	if len(line) < len(protocol)+5 || line[:len(protocol)] != protocol || line[len(protocol)+1] != ' ' {
		return 0, 0, ErrMalformed
	}
	minor = int(line[len(protocol)] - '0')
	rest := line[len(protocol)+2:]
	for i := range 3 {
		if rest[i] < '0' || rest[i] > '9' {
			return 0, 0, ErrMalformed
		}
		status = 10*status + int(rest[i]-'0')
	}
	if minor&^1 != 0 || status < 100 || (len(rest) > 3 && rest[3] != ' ') || !ValidText(rest) {
		return 0, 0, ErrMalformed
	}
	return minor, status, nil
}

// ParseField parses a field line without its end. A line that continues the one before
// (obs-fold), a blank before the colon and control bytes are errors.
func ParseField(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !IsToken(name) || !ValidText(value) {
		return "", "", ErrMalformed
	}
	return name, trimBlank(value), nil
}

// trimBlank cuts spaces and tabs off both ends.
func trimBlank(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// ValidText tells whether s may stand in a field value: no control byte but the tab.
func ValidText(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// IsToken tells whether s is a field name or a method (RFC 9110 §5.6.2).
func IsToken(s string) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokens = func() (table [256]bool) {
	for c := range table {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c < 0x80 && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0:
			table[c] = true
		}
	}
	return table
}()
