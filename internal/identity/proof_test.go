package identity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/identity"
)

func TestProofIsOfOneSandboxKeyAndChallenge(t *testing.T) {
	key, challenge := []byte("k"), identity.Challenge()
	proof := identity.Prove(key, "a", challenge)
	require.True(t, identity.Proven(key, "a", challenge, proof))
	for name, ok := range map[string]bool{
		"key":       identity.Proven([]byte("l"), "a", challenge, proof),
		"sandbox":   identity.Proven(key, "b", challenge, proof),
		"challenge": identity.Proven(key, "a", identity.Challenge(), proof),
		"empty":     identity.Proven(key, "a", challenge, ""),
		"case":      identity.Proven(key, "a", challenge, strings.ToUpper(proof)),
		"no key":    identity.Proven(nil, "a", challenge, proof),
	} {
		require.False(t, ok, name)
	}
}

// Servers and daemons of different releases have to agree.
func TestProofVector(t *testing.T) {
	require.Equal(t, "1aec17f1bda95a1976110f82230869d259afe8ae902eb1470541612c736e486c",
		identity.Prove([]byte("k"), "a", "000102030405060708090a0b0c0d0e0f"))
}

func TestChallenges(t *testing.T) {
	one := identity.Challenge()
	require.True(t, identity.ValidChallenge(one))
	require.NotEqual(t, one, identity.Challenge())
	for _, bad := range []string{"", "a", one[1:], one + "00", strings.Repeat("z", 32), strings.Repeat("a", 1000)} {
		require.False(t, identity.ValidChallenge(bad), bad)
	}
}
