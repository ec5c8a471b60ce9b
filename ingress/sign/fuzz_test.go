package sign_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/secret"
)

// oracle is the algorithm once more, written for reading.
func oracle(key string, r sign.Route) string {
	sized := func(s string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
	}
	canonical := fmt.Sprintf("v1\nshort\n%s\n%d\n%s\n", r.SandboxID, r.Port, r.Expires)
	digest := sha256.Sum256([]byte(sized(key) + sized(canonical)))
	return hex.EncodeToString(digest[:])[:8]
}

// What is minted verifies until it expires, and not under another key.
func FuzzMintThenVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.key, v.id, v.port, v.expires, int64(1999999999))
	}
	f.Fuzz(func(t *testing.T, key, id string, port uint16, expires uint64, at int64) {
		keys, err := sign.NewKeys("k", sign.Key{ID: "k", Secret: secret.New(key)})
		if key == "" {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		r, g := keys.Mint(id, port, expires)
		require.Equal(t, oracle(key, r)+"k", g)
		want := sign.Valid
		if at > 0 && uint64(at) > expires {
			want = sign.Expired
		}
		require.Equal(t, want, keys.Verify(r, g, time.Unix(at, 0)))
		if want == sign.Valid {
			require.Equal(t, sign.UnknownKey, keys.Verify(r, g[:8]+"j", time.Unix(at, 0)))
		}
	})
}

// A changed route verifies only if its own signature happens to be the same, and a
// changed signature never.
func FuzzMutationsDoNotVerify(f *testing.F) {
	f.Add("my-sandbox", uint16(8080), "x2qxvk", "8b6de077a")
	f.Add("my-sandbox", uint16(8081), "x2qxvk", "8b6de077a")
	f.Add("my-sandbox", uint16(8080), "x2qxvl", "8b6de077b")
	f.Add("my-sandbox", uint16(8080), "0x2qxvk", "8b6de077A")
	f.Add("", uint16(0), "", "")
	keys := set(f, "a", "a", keyA)
	raw := "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
	f.Fuzz(func(t *testing.T, id string, port uint16, expires, signature string) {
		r := sign.Route{SandboxID: id, Port: port, Expires: expires}
		valid := keys.Verify(r, signature, time.Unix(0, 0)) == sign.Valid
		_, wellFormed := wire.ParseExpiry(expires)
		require.Equal(t, wellFormed && signature == oracle(raw, r)+"a", valid)
	})
}
