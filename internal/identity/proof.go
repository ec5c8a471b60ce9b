package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// purpose keeps the hash apart from every other use of the key.
const purpose = "opensandbox execd identity v1\n"

// challengeBytes is the length of a challenge before its encoding.
const challengeBytes = 16

// Challenge makes a new challenge: 32 lower-case hexadecimal digits.
func Challenge() string {
	var random [challengeBytes]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	return hex.EncodeToString(random[:])
}

// ValidChallenge tells whether text has the form of a challenge.
func ValidChallenge(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == challengeBytes
}

// Prove answers a challenge for a sandbox: 64 lower-case hexadecimal digits.
func Prove(key []byte, sandboxID, challenge string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(purpose + sandboxID + "\n" + challenge))
	return hex.EncodeToString(mac.Sum(nil))
}

// Proven compares in constant time.
func Proven(key []byte, sandboxID, challenge, proof string) bool {
	return hmac.Equal([]byte(Prove(key, sandboxID, challenge)), []byte(proof))
}
