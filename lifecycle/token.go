package lifecycle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"github.com/opensandbox-edge/edge/secret"
)

// DeriveExecdToken makes the token that the execd of a sandbox asks for: lower-case
// hex of HMAC-SHA256(instance secret, "execd\n" + id). Derived rather than stored, it
// survives a lost store, is the same on every replica, and is in no database.
func DeriveExecdToken(instance secret.Text, id string) secret.Text {
	return secret.New(hex.EncodeToString(derive(instance, "execd", id)))
}

// DeriveAccessToken makes the token that a secured sandbox demands on every route: the
// first 24 bytes of HMAC-SHA256(instance secret, "secure-access\n" + id) in URL-safe base64
// without padding, 32 characters (contract 04 §1). It is derived for the same reasons.
func DeriveAccessToken(instance secret.Text, id string) secret.Text {
	const size = 24
	return secret.New(base64.RawURLEncoding.EncodeToString(derive(instance, "secure-access", id)[:size]))
}

// derive keeps the tokens of one sandbox apart by their purpose.
func derive(instance secret.Text, purpose, id string) []byte {
	mac := hmac.New(sha256.New, []byte(instance.Reveal()))
	mac.Write([]byte(purpose + "\n" + id))
	return mac.Sum(nil)
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

// AccessToken is the token that opens every route to a sandbox. It is empty for an unknown
// id and for a sandbox that demands no access verification.
func (s *Service) AccessToken(id string) secret.Text {
	u, err := s.find(id)
	if err != nil {
		return secret.Text{}
	}
	return s.accessToken(u.view.Load())
}

// accessToken: a sandbox of the reference keeps the token it was created with. Record and
// labels each can demand verification, and neither can take it back.
func (s *Service) accessToken(v *view) secret.Text {
	switch {
	case !v.accessToken.IsZero():
		return v.accessToken
	case v.record.SecureAccess || v.secured:
		return DeriveAccessToken(s.o.Secret, v.record.ID)
	}
	return secret.Text{}
}
