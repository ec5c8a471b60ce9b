package sign

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/secret"
)

const (
	digestHex    = 8             // digits of the digest that a signature shows
	signatureLen = digestHex + 1 // and the key's id

	// stackRoom holds the hashed text with a secret of up to 128 bytes; a longer one is
	// hashed from the heap.
	stackRoom = 256
)

// Route is what a signature is about.
type Route struct {
	SandboxID string // in the grammar of ids: no line feed
	Port      uint16
	Expires   string // base 36, as wire.FormatExpiry writes it
}

// Outcome is what is found out about a signature.
type Outcome uint8

// The outcomes, in the order in which they are looked for (contract 04 §5.3).
const (
	Unchecked  Outcome = iota
	Expired            // the moment has passed
	TooFar             // it lies further ahead than this server signs (Policy only)
	UnknownKey         // signed with a key that is not in the set
	Mismatch           // not the signature of this route
	Valid
)

// Mint signs a port of a sandbox until expires, in Unix seconds, with the active key.
func (k *Keys) Mint(sandboxID string, port uint16, expires uint64) (r Route, signature string) {
	r = Route{SandboxID: sandboxID, Port: port, Expires: wire.FormatExpiry(expires)}
	key, _ := k.find(k.active)
	shown := show(key, r)
	return r, string(append(shown[:], k.active))
}

// Verify checks a signature. Its time tells nothing about the keys: the digest is made
// for unknown keys as well, and compared in constant time. It allocates nothing.
func (k *Keys) Verify(r Route, signature string, now time.Time) Outcome {
	expires, ok := wire.ParseExpiry(r.Expires)
	if !ok || len(signature) != signatureLen {
		return Mismatch // the grammar of routes lets no such thing through
	}
	if at := now.Unix(); at > 0 && uint64(at) > expires {
		return Expired
	}
	key, known := k.find(signature[digestHex])
	want := show(key, r)
	equal := subtle.ConstantTimeCompare(want[:], []byte(signature[:digestHex])) == 1
	switch {
	case !known:
		return UnknownKey
	case !equal:
		return Mismatch
	}
	return Valid
}

// show is the part of the digest that a signature shows.
func show(key secret.Text, r Route) (shown [digestHex]byte) {
	var stack [stackRoom]byte
	clear := key.Reveal()
	b := binary.BigEndian.AppendUint32(stack[:0], uint32(len(clear)))
	b = append(b, clear...)
	at := len(b)
	b = append(b, "\x00\x00\x00\x00v1\nshort\n"...)
	b = append(b, r.SandboxID...)
	b = append(b, '\n')
	b = strconv.AppendUint(b, uint64(r.Port), 10)
	b = append(b, '\n')
	b = append(b, r.Expires...)
	b = append(b, '\n')
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	digest := sha256.Sum256(b)
	hex.Encode(shown[:], digest[:digestHex/2])
	return shown
}
