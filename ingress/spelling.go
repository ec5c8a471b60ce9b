package ingress

import (
	"encoding/base64"
	"strings"

	"github.com/opensandbox-edge/edge/auth"
)

// carriesKey tells whether a header value, a part of one or a query holds an API key in a
// spelling that some application reads as the key: by itself, behind any scheme, in a
// list, in quotes, as the name or value of a pair, percent-encoded, or as a half of Basic
// credentials. It looks at every byte a bounded number of times, and allocates only for
// what is encoded.
func carriesKey(keys *auth.Keys, s string) bool {
	if len(s) < keys.Shortest() {
		return false // so is every encoding of it
	}
	if _, rest := cutWord(s); keys.Carries(strings.Trim(rest, " \t")) {
		return true // behind a scheme; the key may hold separators
	}
	return spellsKey(keys, s, true)
}

// spellsKey looks at s, at its words and with decode at what they are the encoding of.
func spellsKey(keys *auth.Keys, s string, decode bool) bool {
	if isKeyOrSide(keys, s) {
		return true
	}
	for basic := false; s != ""; {
		var word string
		word, s = cutWord(s)
		if len(word) >= keys.Shortest() && (isKeyOrSide(keys, word) || decode && (basic && basicHoldsKey(keys, word) ||
			strings.IndexByte(word, '%') >= 0 && spellsKey(keys, unescape(word), false))) {
			return true
		}
		if word != "" {
			basic = strings.EqualFold(word, "Basic")
		}
	}
	return false
}

// separators end words. What base64 is made of does not: keys are often that.
var separators = [256]bool{' ': true, '\t': true, ',': true, ';': true, '"': true, '\'': true, '&': true, '?': true}

func cutWord(s string) (word, rest string) {
	for i := range len(s) {
		if separators[s[i]] {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// isKeyOrSide tells a key, also at either side of a "=", of which it may hold some itself,
// and between those and the "+" that stands for a blank in queries.
func isKeyOrSide(keys *auth.Keys, s string) bool {
	if keys.Carries(s) {
		return true
	}
	start := 0
	for i := range len(s) {
		if s[i] != '=' && s[i] != '+' {
			continue
		}
		if keys.Carries(s[:i]) || keys.Carries(s[start:i]) || keys.Carries(s[i+1:]) {
			return true
		}
		start = i + 1
	}
	return false
}

var standardAlphabet = strings.NewReplacer("-", "+", "_", "/")

// basicHoldsKey reads either alphabet of base64, padded or not.
func basicHoldsKey(keys *auth.Keys, word string) bool {
	decoded, err := base64.RawStdEncoding.DecodeString(standardAlphabet.Replace(strings.TrimRight(word, "=")))
	if err != nil {
		return false
	}
	user, password, _ := strings.Cut(string(decoded), ":")
	return keys.Carries(user) || keys.Carries(password) || spellsKey(keys, string(decoded), false)
}

// unescape decodes what is percent-encoded and leaves what is not as it is.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) {
			high, low := unhex(s[i+1]), unhex(s[i+2])
			if high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		b = append(b, c)
	}
	return string(b)
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}
