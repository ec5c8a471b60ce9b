package wire

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

const maxRequestID = 128

// RequestID keeps an id that a client chose if it is at most 128 visible ASCII bytes,
// because it ends up in headers and logs (threat row C7), and makes one up otherwise.
func RequestID(given string) string {
	given = strings.TrimSpace(given)
	if validRequestID(given) {
		return given
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	return hex.EncodeToString(random[:])
}

func validRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}
