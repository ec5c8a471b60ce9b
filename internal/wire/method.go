package wire

import "net/http"

// IsSafe tells methods that change nothing (RFC 9110 §9.2.1), but for TRACE, which nobody
// is sent: they may come from other sites, be replayed and be sent twice.
func IsSafe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return true
	}
	return false
}
