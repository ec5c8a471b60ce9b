package ingress

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/secret"
)

func TestSpellingsOfAKey(t *testing.T) {
	const odd = "a+b/c=d?~e-f_0123=="
	keys := auth.NewKeys(
		auth.Key{Name: "main", Value: secret.New(someKey)}, auth.Key{Name: "odd", Value: secret.New(odd)},
		auth.Key{Name: "blank", Value: secret.New("a key, with more")},
	)
	encoded := "%74" + someKey[1:]
	basic := func(e *base64.Encoding, pair string) string { return "Basic " + e.EncodeToString([]byte(pair)) }
	for _, s := range []string{
		someKey, odd, "a key, with more", "Bearer a key, with more", "Token\ta key, with more", "k=a key, with more", "k=a%20key%2C%20with%20more",
		"Bearer " + someKey, "bearer\t" + someKey, "Token  \t " + someKey, "Bearer " + odd,
		someKey + ", x", "x," + someKey, "x;" + someKey + ";y", `"` + someKey + `"`, "'" + someKey + "'", `x, "` + someKey + `"`,
		`Digest username="u", response="` + someKey + `"`, "https://a.example/?k=" + someKey + "&b", `{"k":"` + someKey + `"}`,
		"k=" + someKey, someKey + "=1", "a=b=" + someKey, "k=" + odd, odd + "=1", "a=b=" + odd, "k=+" + someKey + "+",
		encoded, "k=" + encoded, "k=%22" + encoded + "%22", "%zz=" + encoded, "k=x%3b%20" + encoded, "%2=" + someKey, "%61%2bb%2fc%3dd%3f~e-f_0123==",
		basic(base64.StdEncoding, someKey+":"), basic(base64.RawStdEncoding, "u:"+someKey), basic(base64.URLEncoding, "u??>:"+someKey),
		basic(base64.RawURLEncoding, "ÿÿ>?:"+someKey), strings.Replace(basic(base64.StdEncoding, "u:"+odd), " ", "\t", 1),
		strings.Replace(basic(base64.StdEncoding, "u:"+someKey), " ", " \t ", 1), "x, " + basic(base64.StdEncoding, "k=\""+someKey+"\""), "bAsIc " + basic(base64.StdEncoding, someKey)[6:],
	} {
		require.True(t, carriesKey(keys, s), "%q", s)
	}
	for _, s := range []string{
		"", "=", "%", "%7", "Basic", "Basic !", "Basic e30=", someKey[1:], someKey + "x", "k=" + someKey[:len(someKey)-1], "Bearer  ",
		basic(base64.StdEncoding, "u:"+someKey+"x"), strings.Repeat("=", 1<<10), "text/html,application/xhtml+xml;q=0.9",
	} {
		require.False(t, carriesKey(keys, s), "%q", s)
	}
}

// Lists lose the items that hold a key; any other value goes as a whole.
func TestKeysLeaveListsItemByItem(t *testing.T) {
	x := browserExchange(route.FormWildcard, "")
	for _, c := range []struct {
		name, value, clean string
		ok                 bool
	}{
		{"Cookie", "a=1; b=%74" + someKey[1:] + "; c=2", "a=1; c=2", true},
		{"Cookie", `a=1; b="` + someKey + `"`, "a=1", true},
		{"Cookie", "b=" + someKey, "", false},
		{"Sec-Websocket-Protocol", `v1, "` + someKey + `", v2`, "v1, v2", true},
		{"Authorization", someKey + ", x", "", false},
		{"X-Any", "x, " + someKey, "", false},
		{"X-Any", "x, y", "x, y", true},
	} {
		clean, ok := x.withoutKeys(c.name, c.value)
		require.Equal(t, c.ok, ok, c.value)
		require.Equal(t, c.clean, clean, c.value)
	}
}

// What is looked for is found in one pass: no spelling makes a long value costly.
func TestLookingForKeysAllocatesForWhatIsEncodedAlone(t *testing.T) {
	keys := auth.NewKeys(auth.Key{Name: "main", Value: secret.New(someKey)})
	value := strings.Repeat("a=b+c, d; ", 1<<10)
	require.Zero(t, testing.AllocsPerRun(10, func() { carriesKey(keys, value) }))
	escaped := strings.Repeat("%41=", 1<<12)
	require.LessOrEqual(t, testing.AllocsPerRun(10, func() { carriesKey(keys, escaped) }), 2.0)
}
