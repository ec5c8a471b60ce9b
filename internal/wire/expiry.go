package wire

import (
	"math/bits"
	"strconv"
)

// FormatExpiry writes Unix seconds in base 36: lower case, no leading zero.
func FormatExpiry(seconds uint64) string { return strconv.FormatUint(seconds, 36) }

// ParseExpiry reads what FormatExpiry wrote, and nothing else: no sign, no upper case, no
// leading zero, nothing beyond 2^64−1.
func ParseExpiry(text string) (seconds uint64, ok bool) {
	if text == "" || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	for i := range len(text) {
		digit := Digit36(text[i])
		over, shifted := bits.Mul64(seconds, 36)
		sum, carry := bits.Add64(shifted, digit, 0)
		if digit == 36 || over != 0 || carry != 0 {
			return 0, false
		}
		seconds = sum
	}
	return seconds, true
}

// Digit36 is the value of a base-36 digit; 36 for what is none.
func Digit36(c byte) uint64 {
	switch {
	case '0' <= c && c <= '9':
		return uint64(c - '0')
	case 'a' <= c && c <= 'z':
		return uint64(c-'a') + 10
	}
	return 36
}
