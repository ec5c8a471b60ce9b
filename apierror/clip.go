package apierror

import "unicode/utf8"

// maxClipped is the most that a message repeats of what somebody else chose, in bytes.
const maxClipped = 128

// Clip bounds text that a client or a backend chose, for a message or a log line. It
// does not cut characters in two.
func Clip(s string) string {
	if len(s) <= maxClipped {
		return s
	}
	cut := maxClipped
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
