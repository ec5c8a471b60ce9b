package sign_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/ingress/sign"
	"github.com/opensandbox-edge/edge/secret"
)

const (
	keyA = "AQIDBAUGBwgJCgsMDQ4PEA=="
	keyB = "b3NiLXJvdGF0ZWQta2V5LTIwMjY="
)

func set(t testing.TB, active string, idAndBase64 ...string) *sign.Keys {
	t.Helper()
	var keys []sign.Key
	for i := 0; i < len(idAndBase64); i += 2 {
		raw, err := base64.StdEncoding.DecodeString(idAndBase64[i+1])
		require.NoError(t, err)
		keys = append(keys, sign.Key{ID: idAndBase64[i], Secret: secret.New(string(raw))})
	}
	k, err := sign.NewKeys(active, keys...)
	require.NoError(t, err)
	return k
}

// forms are the spellings of one signed route.
func forms(token string) map[string]route.Request {
	parts := strings.Split(token, "-")
	n := len(parts)
	uri := "/"
	if n > 3 {
		uri += strings.Join(parts[:n-3], "-") + "/" + strings.Join(parts[n-3:], "/")
	}
	return map[string]route.Request{
		"wildcard": {Method: "GET", Authority: token + ".sb.example.com", Path: "/v1/status"},
		"header":   {Method: "GET", Authority: "gw.example.com", Path: "/v1/status", IngressTo: []string{token}},
		"uri":      {Method: "GET", Authority: "gw.example.com", Path: uri + "/v1/status"},
	}
}

func classify(t testing.TB, r route.Request) route.Verdict {
	t.Helper()
	table, err := route.NewTable(route.Settings{
		APIHosts: []string{"api.example.com"}, GatewayHosts: []string{"gw.example.com"},
		WildcardBase: "*.sb.example.com", URI: true, Header: true,
	})
	require.NoError(t, err)
	return table.Classify(r)
}

func of(v route.Verdict) sign.Route {
	return sign.Route{SandboxID: v.SandboxID, Port: v.Port, Expires: v.ExpiresB36}
}

// The contract's positive vectors (§5.5).
var vectors = []struct {
	name, key, keyID, id string
	port                 uint16
	expires              uint64
	e, g                 string
}{
	{"V1", keyA, "a", "my-sandbox", 8080, 2000000000, "x2qxvk", "8b6de077a"},
	{"V2", keyA, "a", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", 44772, 1900000000, "vf7lds", "2dd471d0a"},
	{"V3", "c2VjcmV0", "k", "a", 1, 4102444800, "1vuhmo0", "57daa3eak"},
	{"V4", "c2VjcmV0", "k", "sandbox-8080-abc", 65535, 4102444800, "1vuhmo0", "64fa766ek"},
	{"V5", "Dw==", "0", "my-sandbox", 8080, 18446744073709551615, "3w5e11264sgsf", "892599710"},
	{"V6", keyB, "b", "my-sandbox", 8080, 2000000000, "x2qxvk", "29c52f67b"},
	{"V7", keyA, "a", "my-sandbox", 8080, 0, "0", "664a79c6a"},
	{"V8", keyA, "a", "my-sandbox", 80, 2000000000, "x2qxvk", "b528158da"},
	{"V9", "bXktdGVzdC1zZWNyZXQ=", "a", "sbx-001", 8080, 2000000000, "x2qxvk", "0ff8cd39a"},
}

func TestPositiveVectors(t *testing.T) {
	for _, v := range vectors {
		keys := set(t, v.keyID, v.keyID, v.key)
		r, g := keys.Mint(v.id, v.port, v.expires)
		require.Equal(t, v.e, r.Expires, v.name)
		require.Equal(t, v.g, g, v.name)
		last := time.Unix(int64(min(v.expires, 1<<40)), 0) // the second of the expiry passes
		for name, request := range forms(fmt.Sprintf("%s-%d-%s-%s", v.id, v.port, v.e, v.g)) {
			verdict := classify(t, request)
			require.Nil(t, verdict.Err, "%s %s", v.name, name)
			require.Equal(t, "/v1/status", verdict.Path)
			require.Equal(t, r, of(verdict), "%s %s", v.name, name)
			require.Equal(t, sign.Valid, keys.Verify(of(verdict), verdict.Signature, last), "%s %s", v.name, name)
			if v.expires < 1<<40 {
				require.Equal(t, sign.Expired, keys.Verify(of(verdict), verdict.Signature, last.Add(time.Second)), "%s %s", v.name, name)
			}
		}
	}
}

// The contract's negative vectors (§5.6). In uri form some of them do not look signed, and
// are paths of the application then.
func TestNegativeVectors(t *testing.T) {
	const (
		bad    = "400"
		unlike = "unsigned"
	)
	outcomes := map[sign.Outcome]string{sign.Mismatch: "mismatch", sign.UnknownKey: "unknown key", sign.Expired: "expired", sign.Valid: "valid"}
	keys := set(t, "a", "a", keyA, "b", keyB)
	for _, v := range []struct{ name, token, want, uri string }{
		{"control", "my-sandbox-8080-x2qxvk-8b6de077a", "valid", "valid"},
		{"N1 port", "my-sandbox-8081-x2qxvk-8b6de077a", "mismatch", "mismatch"},
		{"N2 id", "my-sandbo-8080-x2qxvk-8b6de077a", "mismatch", "mismatch"},
		{"N3 expiry", "my-sandbox-8080-x2qxvl-8b6de077a", "mismatch", "mismatch"},
		{"N4 key id", "my-sandbox-8080-x2qxvk-8b6de077b", "mismatch", "mismatch"},
		{"N5 unknown key", "a-1-1vuhmo0-57daa3eak", "unknown key", "unknown key"},
		{"N6 expired", "my-sandbox-8080-0-664a79c6a", "expired", "expired"},
		{"N7 leading zero", "my-sandbox-8080-0x2qxvk-8b6de077a", bad, unlike},
		{"N7 overflow", "my-sandbox-8080-3w5e11264sgsg-8b6de077a", bad, unlike},
		{"N7 14 characters", "my-sandbox-8080-13w5e11264sgsf-8b6de077a", bad, unlike},
		{"N7 empty", "my-sandbox-8080--8b6de077a", bad, unlike},
		{"N8 leading zero", "my-sandbox-08080-x2qxvk-8b6de077a", bad, bad},
		{"N8 zero", "my-sandbox-0-x2qxvk-8b6de077a", bad, bad},
		{"N8 too big", "my-sandbox-65536-x2qxvk-8b6de077a", bad, bad},
		{"N9 8 characters", "my-sandbox-8080-x2qxvk-8b6de077", bad, unlike},
		{"N9 10 characters", "my-sandbox-8080-x2qxvk-8b6de077aa", bad, unlike},
		{"N9 charset", "my-sandbox-8080-x2qxvk-8b6de07ga", bad, unlike},
		{"N10 empty id", "-8080-x2qxvk-8b6de077a", bad, bad},
	} {
		for form, request := range forms(v.token) {
			t.Run(v.name+"/"+form, func(t *testing.T) {
				want := v.want
				if form == "uri" {
					want = v.uri
				}
				verdict := classify(t, request)
				switch want {
				case bad:
					require.NotNil(t, verdict.Err)
					require.Equal(t, 400, verdict.Err.Status)
				case unlike:
					require.Nil(t, verdict.Err)
					require.Empty(t, verdict.Signature)
				default:
					require.Nil(t, verdict.Err)
					got := keys.Verify(of(verdict), verdict.Signature, time.Unix(1999999999, 0))
					require.Equal(t, want, outcomes[got])
				}
			})
		}
	}
	// A host is lower-cased before it is read, a header and a path are not.
	for _, token := range []string{"my-sandbox-8080-X2QXVK-8b6de077a", "my-sandbox-8080-x2qxvk-8b6de07Ga"} {
		f := forms(token)
		require.NotNil(t, classify(t, f["header"]).Err)
		require.Empty(t, classify(t, f["uri"]).Signature)
	}
	require.NotNil(t, classify(t, route.Request{
		Method: "GET", Authority: "gw.example.com", Path: "/", IngressTo: []string{"8080-x2qxvk-8b6de077a"},
	}).Err, "N10 three parts")
}

// V3 to V5 expire later than a server signs; the pure function takes them, the server's
// rule does not.
func TestPolicyRefusesWhatIsTooFarAhead(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Unix(1999999999, 0)
	p := sign.Policy{Keys: set(t, "a", "a", keyA), MaxTTL: 30 * day}
	at := func(d time.Duration) uint64 { return uint64(now.Add(d).Unix()) }
	for _, c := range []struct {
		expires uint64
		minted  sign.Outcome // of Check
		shown   sign.Outcome // of Verify
	}{
		{0, sign.Expired, sign.Expired},
		{at(-time.Second), sign.Expired, sign.Expired},
		{at(0), sign.Expired, sign.Valid},
		{at(time.Second), sign.Valid, sign.Valid},
		{at(30 * day), sign.Valid, sign.Valid},
		{at(30*day + time.Second), sign.TooFar, sign.TooFar},
		{1<<64 - 1, sign.TooFar, sign.TooFar},
	} {
		require.Equal(t, c.minted, p.Check(c.expires, now), c.expires)
		r, g := p.Keys.Mint("my-sandbox", 8080, c.expires)
		require.Equal(t, c.shown, p.Verify(r, g, now), c.expires)
	}
	require.Equal(t, sign.Mismatch, p.Verify(sign.Route{SandboxID: "a", Port: 1, Expires: "!"}, "8b6de077a", now))
}

func TestKeySets(t *testing.T) {
	one := sign.Key{ID: "a", Secret: secret.New("0123456789abcdef")}
	for name, try := range map[string]struct {
		active string
		keys   []sign.Key
	}{
		"none":           {"a", nil},
		"active missing": {"b", []sign.Key{one}},
		"no active":      {"", []sign.Key{one}},
		"twice":          {"a", []sign.Key{one, one}},
		"empty":          {"a", []sign.Key{one, {ID: "b"}}},
		"long id":        {"a", []sign.Key{one, {ID: "ab", Secret: one.Secret}}},
		"upper case id":  {"a", []sign.Key{one, {ID: "A", Secret: one.Secret}}},
	} {
		_, err := sign.NewKeys(try.active, try.keys...)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), one.Secret.Reveal())
	}
	keys := set(t, "b", "a", keyA, "b", keyB)
	_, g := keys.Mint("my-sandbox", 8080, 2000000000)
	require.Equal(t, "29c52f67b", g, "the active key signs")
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", keys, *keys, keys), "\x01\x02\x03")
}

func TestVerifyDoesNotAllocate(t *testing.T) {
	keys := set(t, "a", "a", keyA)
	r, g := keys.Mint("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", 44772, 1<<64-1)
	now := time.Now()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if keys.Verify(r, g, now) != sign.Valid {
			t.Fatal("not valid")
		}
	}))
	long, err := sign.NewKeys("a", sign.Key{ID: "a", Secret: secret.New(strings.Repeat("k", 300))})
	require.NoError(t, err)
	r, g = long.Mint("x", 1, 1<<63)
	require.Equal(t, sign.Valid, long.Verify(r, g, now), "longer keys than the stack has room for")
}

func BenchmarkVerify(b *testing.B) {
	keys := set(b, "a", "a", keyA)
	r, g := keys.Mint("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", 44772, 1<<64-1)
	now := time.Now()
	for name, signature := range map[string]string{"valid": g, "mismatch": "00000000a", "unknown key": g[:8] + "z"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				keys.Verify(r, signature, now)
			}
		})
	}
}
