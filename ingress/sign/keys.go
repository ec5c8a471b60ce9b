package sign

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/secret"
)

// Key is one signing key.
type Key struct {
	ID     string      // one character of [0-9a-z]
	Secret secret.Text // the raw bytes, one or more; not base64
}

// Keys is a set of signing keys: one signs, all verify. It is immutable and safe for
// concurrent use.
type Keys struct {
	active byte
	// secrets are in the order of the ids' values in base 36; zero = no such key.
	secrets [36]secret.Text
	// decoy stands in for a key that is not there, so that its absence takes as long.
	decoy secret.Text
}

// NewKeys makes a set whose key active signs. Errors name keys by position and id,
// never by content.
func NewKeys(active string, keys ...Key) (*Keys, error) {
	k := new(Keys)
	for i, key := range keys {
		at, ok := keyIndex(key.ID)
		switch {
		case !ok:
			return nil, fmt.Errorf("signing key %d: an id is one character of 0-9a-z", i)
		case key.Secret.IsZero():
			return nil, fmt.Errorf("signing key %q is empty", key.ID)
		case !k.secrets[at].IsZero():
			return nil, fmt.Errorf("signing key %q is there twice", key.ID)
		}
		k.secrets[at] = key.Secret
	}
	at, ok := keyIndex(active)
	if !ok || k.secrets[at].IsZero() {
		return nil, errors.New("the active signing key is not among the keys")
	}
	k.active = active[0]
	random := make([]byte, len(k.secrets[at].Reveal()))
	_, _ = rand.Read(random) // never fails (crypto/rand)
	k.decoy = secret.New(string(random))
	return k, nil
}

// find returns the secret of an id, or the decoy.
func (k *Keys) find(id byte) (key secret.Text, known bool) {
	if digit := wire.Digit36(id); digit < 36 {
		if key := k.secrets[digit]; !key.IsZero() {
			return key, true
		}
	}
	return k.decoy, false
}

func keyIndex(id string) (int, bool) {
	if len(id) != 1 || wire.Digit36(id[0]) == 36 {
		return 0, false
	}
	return int(wire.Digit36(id[0])), true
}
