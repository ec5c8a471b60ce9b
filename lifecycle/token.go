package lifecycle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/opensandbox-edge/edge/secret"
)

// DeriveExecdToken makes the token that the execd of a sandbox asks for: lower-case
// hex of HMAC-SHA256(instance secret, "execd\n" + id). Derived rather than stored, it
// survives a lost store, is the same on every replica, and is in no database.
func DeriveExecdToken(instance secret.Text, id string) secret.Text {
	mac := hmac.New(sha256.New, []byte(instance.Reveal()))
	mac.Write([]byte("execd\n" + id))
	return secret.New(hex.EncodeToString(mac.Sum(nil)))
}

// ExecdToken is the token of a sandbox's execd. It is empty for an unknown id and for
// a sandbox whose execd asks for none.
func (s *Service) ExecdToken(id string) secret.Text {
	u, err := s.find(id)
	if err != nil || !u.view.Load().record.ExecdToken {
		return secret.Text{}
	}
	return DeriveExecdToken(s.o.Secret, id)
}
