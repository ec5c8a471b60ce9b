package config

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/secret"
)

// FuzzParse looks for panics, for errors of an undocumented type, and for a secret in
// what is printed. Whatever loads must print as TOML that loads again.
func FuzzParse(f *testing.F) {
	for _, kind := range Templates() {
		body, err := Example(kind, secret.Text{})
		require.NoError(f, err)
		f.Add(body)
	}
	f.Add(Skeleton(secret.Text{}))
	f.Add([]byte(effectiveDocument))
	for _, c := range fieldCases {
		f.Add([]byte(minimal + "[" + c.section + "]\n" + c.line + "\n"))
	}
	f.Add([]byte(signed("active_key = \"a\"\n[[ingress.secure_access.keys]]\nkey_id = \"a\"\nkey = \"" + key16 + "\"\n")))
	f.Fuzz(func(t *testing.T, document []byte) {
		if bytes.Contains(document, []byte("_file")) {
			return // names files of this machine
		}
		l, err := Parse(Options{Path: "fuzz.toml", Lookup: env("K", "FUZZSECRETFUZZSECRET"), Home: "/home/u"}, document)
		if err != nil {
			var invalid *Invalid
			var unreadable *Unreadable
			require.True(t, errors.As(err, &invalid) || errors.As(err, &unreadable), "%T", err)
			return
		}
		var out bytes.Buffer
		require.NoError(t, l.WriteEffective(&out))
		for _, w := range l.Report.Warnings {
			out.WriteString("# " + w.String() + "\n")
		}
		require.NotContains(t, out.String(), "FUZZSECRET")
		require.False(t, strings.ContainsFunc(out.String(), func(r rune) bool { return r < 0x20 && r != '\n' }), "a control character reaches the terminal")
		_, err = Parse(Options{Path: "again.toml", Lookup: env(), Home: "/home/u"}, out.Bytes())
		var unreadable *Unreadable
		require.False(t, errors.As(err, &unreadable), "%v\n%s", err, out.String())
	})
}
