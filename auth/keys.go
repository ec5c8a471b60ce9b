package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"sync/atomic"

	"github.com/opensandbox-edge/edge/secret"
)

// Key is one API key and the name it has in logs and placeholders.
type Key struct {
	Name  string
	Value secret.Text
}

// Keys is the set of API keys. It is replaced as a whole on reload: a request sees the
// old set or the new one, also on connections that were open before (threat row A8).
// It is safe for concurrent use.
type Keys struct {
	set atomic.Pointer[keySet]
}

type keySet struct {
	names  []string
	values []secret.Text
	sums   [][sha256.Size]byte
}

// NewKeys makes a set. Keys that are blank count as absent.
func NewKeys(keys ...Key) *Keys {
	k := new(Keys)
	k.Replace(keys...)
	return k
}

// Replace puts another set in place of this one.
func (k *Keys) Replace(keys ...Key) {
	set := new(keySet)
	for _, key := range keys {
		clear := key.Value.Reveal()
		if strings.TrimSpace(clear) == "" {
			continue
		}
		set.names = append(set.names, key.Name)
		set.values = append(set.values, key.Value)
		set.sums = append(set.sums, sha256.Sum256([]byte(clear)))
	}
	k.set.Store(set)
}

// Empty reports that no key is configured.
func (k *Keys) Empty() bool { return len(k.set.Load().sums) == 0 }

// Match finds the key that equals candidate, byte for byte. Its time depends on the
// number of keys alone: every key is compared, through hashes of one length.
func (k *Keys) Match(candidate string) (name string, ok bool) {
	set := k.set.Load()
	sum := sha256.Sum256([]byte(candidate))
	found := -1
	for i := range set.sums {
		if subtle.ConstantTimeCompare(sum[:], set.sums[i][:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return "", false
	}
	return set.names[found], true
}

const bearer = "Bearer "

// Carries reports whether value is a key, with or without "Bearer " before it. It is
// asked about every header value on its way into a sandbox, so unlike Match it gives
// up at once on values of another length; it tells only whether to drop the value.
func (k *Keys) Carries(value string) bool {
	bare := value
	if len(value) > len(bearer) && strings.EqualFold(value[:len(bearer)], bearer) {
		bare = strings.TrimLeft(value[len(bearer):], " ")
	}
	carries := false
	for _, v := range k.set.Load().values {
		clear := v.Reveal()
		if equalLength(clear, bare) || equalLength(clear, value) {
			carries = true
		}
	}
	return carries
}

func equalLength(a, b string) bool {
	return len(a) == len(b) && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
