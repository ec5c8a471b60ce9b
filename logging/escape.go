package logging

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxValue bounds one string of a log line, in bytes after redaction. A head may be
// 64 KiB; a line that long helps nobody and a client could ask for thousands.
const maxValue = 8 << 10

// Escape encodes what could forge a line or drive a terminal: control characters,
// line and paragraph separators, bidirectional overrides and invalid UTF-8. What is
// printable stays as it is.
func Escape(s string) string {
	if clean(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			b.WriteString(`\x`)
			b.WriteByte(hexDigits[s[i]>>4])
			b.WriteByte(hexDigits[s[i]&0xf])
		case harmless(c):
			b.WriteRune(c)
		default:
			quoted := strconv.QuoteRuneToASCII(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		i += size
	}
	return b.String()
}

const hexDigits = "0123456789abcdef"

func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return s[i] >= utf8.RuneSelf && utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !harmless(c) })
		}
	}
	return true
}

// harmless tells printable runes from those that move the cursor or the reading
// direction; unicode.IsPrint excludes controls, format characters (bidi) and separators.
func harmless(c rune) bool { return c == ' ' || unicode.IsPrint(c) }

// bound cuts an over-long value at a rune boundary and says how much is missing.
func bound(s string) string {
	if len(s) <= maxValue {
		return s
	}
	cut := maxValue
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…(+" + strconv.Itoa(len(s)-cut) + " bytes)"
}
