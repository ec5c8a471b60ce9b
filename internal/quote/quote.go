package quote

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Max is how much of a foreign text is kept, in bytes. Errors of net/http quote the
// answer that they could not read, and a sandbox may send what it likes.
const Max = 256

// Text cuts s to Max bytes, at a rune, and escapes what is not printable.
func Text(s string) string {
	cut := s
	if len(s) > Max {
		end := Max
		for end > Max-utf8.UTFMax && !utf8.RuneStart(s[end]) {
			end--
		}
		cut = s[:end]
	}
	if !printable(cut) {
		// Quotes and backslashes stay: only what acts on a terminal or a line is escaped.
		var b strings.Builder
		for i := 0; i < len(cut); {
			r, size := utf8.DecodeRuneInString(cut[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b.WriteString(`\x` + strconv.FormatUint(uint64(cut[i])|0x100, 16)[1:])
			case strconv.IsPrint(r):
				b.WriteRune(r)
			default:
				escaped := strconv.QuoteRuneToASCII(r)
				b.WriteString(escaped[1 : len(escaped)-1])
			}
			i += size
		}
		cut, s = b.String(), cut+s[len(cut):]
	}
	if len(s) > Max {
		cut += "…"
	}
	return cut
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// Error returns err with its text put through Text; the chain stays. nil stays nil.
func Error(err error) error {
	if err == nil {
		return nil
	}
	return quoted{err}
}

type quoted struct{ err error }

func (q quoted) Error() string { return Text(q.err.Error()) }
func (q quoted) Unwrap() error { return q.err }
