package execd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/opensandbox-edge/edge/execd/problem"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/secret"
)

// Access decides who may call. It keeps the SHA-256 of the token and nothing
// else, so that whoever reads the daemon's environment or memory learns nothing
// that opens it. The zero value is open to everyone.
type Access struct {
	closed bool
	digest [sha256.Size]byte
	// chosen says that somebody chose the token, who may have chosen a weak one: nothing
	// computed from its digest is shown then, or it could be guessed offline.
	chosen bool
}

// AccessByToken admits the bearer of token; an empty one leaves the daemon open.
func AccessByToken(token secret.Text) Access {
	if token.IsZero() {
		return Access{}
	}
	return Access{closed: true, chosen: true, digest: sha256.Sum256([]byte(token.Reveal()))}
}

// AccessByHash admits the bearer of the token whose SHA-256 is given in
// hexadecimal. Anything that is no such hash is an error, never an open daemon.
func AccessByHash(hash string) (Access, error) {
	raw, err := hex.DecodeString(hash)
	if err != nil || len(raw) != sha256.Size {
		return Access{}, errors.New("the access token hash is not the hexadecimal form of a SHA-256")
	}
	return Access{closed: true, digest: [sha256.Size]byte(raw)}, nil
}

// Required reports whether a token is needed at all.
func (a Access) Required() bool { return a.closed }

// key is what proofs of identity are made with: the digest, or nothing without a token.
func (a Access) key() []byte {
	if !a.closed {
		return nil
	}
	return a.digest[:]
}

// admits compares in constant time. A repeated header is refused: which of the
// values counts would depend on who reads it.
func (a Access) admits(h http.Header) bool {
	if !a.closed {
		return true
	}
	values := h.Values(wire.HeaderExecdToken)
	if len(values) != 1 {
		return false
	}
	return secret.SumEqual(a.digest, values[0])
}

// authenticate guards everything but the liveness probe.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probe := r.URL.Path == "/ping" && (r.Method == http.MethodGet || r.Method == http.MethodHead)
		if probe || s.options.Access.admits(r.Header) {
			next.ServeHTTP(w, r)
			return
		}
		const text = "Unauthorized: invalid or missing header " + wire.DisplayExecdToken
		body, _ := json.Marshal(map[string]string{"code": problem.Unauthorized, "message": text, "error": text})
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write(body)
	})
}
