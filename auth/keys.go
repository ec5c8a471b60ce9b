package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/opensandbox-edge/edge/secret"
)

// Key is one API key and the name it has in logs and placeholders.
type Key struct {
	Name  string
	Value secret.Text
}

// Keys is the set of API keys. It is immutable: another configuration makes another set,
// together with the authenticator that asks it.
type Keys struct {
	names    []string
	values   []secret.Text
	sums     [][sha256.Size]byte
	shortest int // length of a key
}

// NewKeys makes a set. Keys that are blank count as absent.
func NewKeys(keys ...Key) *Keys {
	set := new(Keys)
	for _, key := range keys {
		clear := key.Value.Reveal()
		if strings.TrimSpace(clear) == "" {
			continue
		}
		if len(set.values) == 0 || len(clear) < set.shortest {
			set.shortest = len(clear)
		}
		set.names = append(set.names, key.Name)
		set.values = append(set.values, key.Value)
		set.sums = append(set.sums, sha256.Sum256([]byte(clear)))
	}
	return set
}

// Empty reports that no key is configured.
func (k *Keys) Empty() bool { return len(k.sums) == 0 }

// Shortest is the length of the shortest key: what is shorter holds none.
func (k *Keys) Shortest() int { return k.shortest }

// Match finds the key that equals candidate, byte for byte. Its time depends on the
// number of keys alone: every key is compared, through hashes of one length.
func (k *Keys) Match(candidate string) (name string, ok bool) {
	sum := sha256.Sum256([]byte(candidate))
	found := -1
	for i := range k.sums {
		if subtle.ConstantTimeCompare(sum[:], k.sums[i][:]) == 1 {
			found = i
		}
	}
	if found < 0 {
		return "", false
	}
	return k.names[found], true
}

const bearer = "Bearer "

// Carries reports whether value is a key, with or without "Bearer " before it. It is
// asked about every header value on its way into a sandbox, so unlike Match it gives
// up at once on values of another length; it tells only whether to drop the value.
func (k *Keys) Carries(value string) bool {
	if len(value) < k.shortest {
		return false
	}
	bare := value
	if len(value) > len(bearer) && strings.EqualFold(value[:len(bearer)], bearer) {
		bare = strings.TrimLeft(value[len(bearer):], " ")
	}
	carries := false
	for _, v := range k.values {
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
