package auth

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
)

// HeaderRequestID names one request in answers and logs (contract 01 §3).
const HeaderRequestID = "X-Request-Id"

const maxRequestID = 128

// EnsureRequestID returns the id of the request and sets it on the response header h. An
// id already there stays. The client's is kept if it is at most 128 visible ASCII bytes:
// it ends up in logs (threat row C7).
func EnsureRequestID(h http.Header, r *http.Request) string {
	if id := h.Get(HeaderRequestID); id != "" {
		return id
	}
	id := strings.TrimSpace(r.Header.Get(HeaderRequestID))
	if !validRequestID(id) {
		var random [16]byte
		_, _ = rand.Read(random[:]) // never fails (crypto/rand)
		id = hex.EncodeToString(random[:])
	}
	h.Set(HeaderRequestID, id)
	return id
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
