package auth

import (
	"net/http"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// EnsureRequestID returns the id of the request and sets it on the response header h. An
// id already there stays; the client's is kept if it is fit (wire.RequestID).
func EnsureRequestID(h http.Header, r *http.Request) string {
	if id := h.Get(wire.HeaderRequestID); id != "" {
		return id
	}
	id := wire.RequestID(r.Header.Get(wire.HeaderRequestID))
	h.Set(wire.HeaderRequestID, id)
	return id
}
