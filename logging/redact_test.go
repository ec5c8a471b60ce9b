package logging_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/logging"
)

func TestTextMasksWhatLooksLikeACredential(t *testing.T) {
	const id = "0f3c2a44-5a8e-4d4e-9f0e-2f1f6f0f9a11"
	for name, c := range map[string]struct{ in, want string }{
		"plain":               {"sandbox is ready", "sandbox is ready"},
		"uuid is no token":    {"sandbox " + id + " is gone", "sandbox " + id + " is gone"},
		"question":            {"did you mean \"port\"?", "did you mean \"port\"?"},
		"query of a path":     {"GET /a/b?sig=abc&x=1 HTTP/1.1", "GET /a/b?*** HTTP/1.1"},
		"query with quotes":   {`/a?k="v'w`, "/a?***"},
		"query of a url":      {`Get "https://h/p?token=abc": EOF`, `Get "https://h/p?*** EOF`},
		"dsn":                 {"redis://user:p@ss@db:6379/0", "redis://***@db:6379/0"},
		"dsn, password only":  {"dial redis://:pw@db:6379", "dial redis://***@db:6379"},
		"header dump":         {"Open-Sandbox-Api-Key: abc def", "Open-Sandbox-Api-Key: ***"},
		"header map":          {"map[X-Execd-Access-Token:[abc] Host:[h]]", "map[X-Execd-Access-Token:***"},
		"header name alone":   {"send it in the OPEN-SANDBOX-API-KEY header", "send it in the OPEN-SANDBOX-API-KEY header"},
		"env":                 {"EXECD_ACCESS_TOKEN=abc HOME=/", "EXECD_ACCESS_TOKEN=*** HOME=/"},
		"json":                {`{"password": "abc"}`, `{"password": "***"}`},
		"bearer":              {"got Bearer abcdef.ghi", "got Bearer ***"},
		"signed host":         {id + "-8080-x2qxvk-8b6de077a.ex.com", id + "-8080-x2qxvk-***.ex.com"},
		"signed host, upper":  {strings.ToUpper(id) + "-8080-X2QXVK-8B6DE077A.EX.COM", strings.ToUpper(id) + "-8080-X2QXVK-***.EX.COM"},
		"signed, too long":    {"s-9000-0toyvji-d6b8e765abc", "s-9000-0toyvji-***"},
		"signed, zero first":  {"q-9000-0toyvji-d6b8e765a", "q-9000-0toyvji-***"},
		"signed, far away":    {id + "-9000-11111111111111-8b19c928a.ex.com", id + "-9000-11111111111111-***.ex.com"},
		"signed, no expiry":   {id + "-9000--8b19c928a.ex.com", id + "-9000--***.ex.com"},
		"signed, odd port":    {id + "-09000-x2qxvk-8b19c928a_", id + "-09000-x2qxvk-***_"},
		"digits in a uuid":    {"0f3c2a44-5a8e-4444-9f0e-2f1f6f0f9a11 " + id, "0f3c2a44-5a8e-4444-9f0e-2f1f6f0f9a11 " + id},
		"path, too long":      {"/Q/9000/toyvji/d6b8e765aa/x", "/Q/9000/toyvji/***/x"},
		"path, far away":      {"/Q/9000/11111111111111/d6b8e765a", "/Q/9000/11111111111111/***"},
		"path, digits in id":  {"/0f3c2a44-5a8e-4444-9f0e-2f1f6f0f9a11/9000/a/b", "/0f3c2a44-5a8e-4444-9f0e-2f1f6f0f9a11/9000/a/b"},
		"signed path":         {"/sb/8080/x2qxvk/8b6de077a/v1/", "/sb/8080/x2qxvk/***/v1/"},
		"signed path, at end": {"/sb/8080/x2qxvk/8b6de077a", "/sb/8080/x2qxvk/***"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, new(logging.Redactor).Text(c.in))
		})
	}
}

func TestExactSecretsAreMaskedInEveryForm(t *testing.T) {
	const key = "k+y/with space&=é"
	r := new(logging.Redactor)
	r.SetSecrets([]string{key, "ab"})
	for _, form := range []string{key, url.QueryEscape(key), url.PathEscape(key), base64.StdEncoding.EncodeToString([]byte(key))} {
		require.Equal(t, "x *** y", r.Text("x "+form+" y"))
	}
	require.Equal(t, "table", r.Text("table"), "a two-byte value must not be searched for")
	r.SetSecrets(nil)
	require.Contains(t, r.Text(key), key)
}

func TestEncodedSecretsAreMasked(t *testing.T) {
	const key = "seeded-api-key-0123"
	r := new(logging.Redactor)
	r.SetSecrets([]string{key})
	once := "%" + "73" + key[1:]
	all := ""
	for _, c := range []byte(key) {
		all += fmt.Sprintf("%%%02X", c)
	}
	for _, form := range []string{once, all, url.PathEscape(once), url.PathEscape(all), "seeded%2Dapi%2dkey-0123"} {
		require.Equal(t, "/x/***/y%", r.Text("/x/"+form+"/y%"), form)
		require.Equal(t, "/x/***/y?***", r.URI("/x/"+form+"/y?q"))
	}
	require.Equal(t, "/a/token=***", r.Text("/a/%74oken%3Dabc"), "shapes as well")
	for _, ordinary := range []string{"/a%2Fb", "100%", "%zz%4", "/what%3F/x", "%2573"} {
		require.Equal(t, ordinary, r.Text(ordinary))
	}
}

func TestURI(t *testing.T) {
	r := new(logging.Redactor)
	require.Equal(t, "/v1/sandboxes?***", r.URI("/v1/sandboxes?metadata=a%3Db"))
	require.Equal(t, "*?***", r.URI("*?x"))
	require.Equal(t, "/v1/sandboxes", r.URI("/v1/sandboxes"))
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a\nb", "\x1b[31m", "\u202e", "é", "\xff", "\u2028", "\x7f", "\u0085"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := logging.Escape(s)
		for _, c := range out {
			require.False(t, c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e), "%q", out)
		}
	})
}
