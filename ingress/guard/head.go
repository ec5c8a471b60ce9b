package guard

import (
	"bytes"
	"strings"
)

// head is what the fields of one request say about its framing.
type head struct {
	length  int64 // -1 = not said
	chunked bool
	host    bool
	old     bool // HTTP/1.0
	// authority is that of an absolute target: the parser believes it, others the Host
	// field, so they have to be the same (threat row R4).
	authority []byte
}

// target takes the target of the request.
func (h *head) target(target []byte) {
	if len(target) == 0 || target[0] == '/' {
		return
	}
	if _, rest, ok := bytes.Cut(target, []byte("://")); ok {
		if end := bytes.IndexAny(rest, "/?#"); end >= 0 {
			rest = rest[:end]
		}
		h.authority = bytes.Clone(rest)
	}
}

// field takes one field line, without its end, and tells whether it may pass.
func (h *head) field(line []byte) bool {
	name, value, ok := field(line)
	if !ok {
		return false
	}
	switch {
	case is(name, "host"):
		first := !h.host
		h.host = true
		return first && len(value) > 0 && (h.authority == nil || bytes.EqualFold(h.authority, value))
	case is(name, "content-length"):
		first := h.length < 0 && !h.chunked
		h.length, ok = decimal(value)
		return first && ok
	case is(name, "transfer-encoding"):
		first := h.length < 0 && !h.chunked
		h.chunked = true
		return first && !h.old && is(value, "chunked")
	}
	return true
}

// trailer tells whether a field line may stand behind the chunks.
func trailer(line []byte) bool {
	name, _, ok := field(line)
	return ok && !is(name, "content-length") && !is(name, "transfer-encoding") && !is(name, "host")
}

// field cuts a line into name and value. It refuses continuations of the line before,
// space around the name, and names that are no tokens.
func field(line []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return nil, nil, false
	}
	for _, c := range line[:colon] {
		if !token[c] {
			return nil, nil, false
		}
	}
	return line[:colon], bytes.Trim(line[colon+1:], " \t"), true
}

// token are the characters of names (RFC 9110 §5.6.2).
var token = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		t[c] = true
	}
	return t
}()

// is compares with a lower-case text, whatever the case.
func is(b []byte, lower string) bool {
	return len(b) == len(lower) && strings.EqualFold(string(b), lower)
}

// decimal reads a length: digits and nothing else.
func decimal(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
