package diagnostics

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestLegible(t *testing.T) {
	for in, want := range map[string]string{
		"plain\nlines\twith tabs\n": "plain\nlines\twith tabs\n",
		"größe ✓ 日本\n":              "größe ✓ 日本\n",
		"windows\r\n":               "windows\n",
		"bar 10%\rbar 20%\n":        `bar 10%\x0dbar 20%` + "\n",
		"\x1b[1;31mred\x1b[0m\n":    "red\n",
		"\x1b]0;title\a\x1b[2J":     `\x1b]0;title\x07\x1b[2J`,
		"\x1b]52;c;ZXZpbA==\x1b\\":  `\x1b]52;c;ZXZpbA==\x1b\`,
		"a\u009bb\u202ec\u2028d":    `a\u009bb\u202ec\u2028d`,
		"not \xff text \xc3":        "not \ufffd text \ufffd",
		"\x00\x7f":                  `\x00\x7f`,
		"\x1b\x1b[0m[2J":            `\x1b[2J`,
	} {
		require.Equal(t, want, legible([]byte(in)), "%q", in)
	}
}

func FuzzLegible(f *testing.F) {
	f.Add([]byte("\x1b[31mred\x1b[0m\r\n\xff\u202e"))
	f.Fuzz(func(t *testing.T, text []byte) {
		shown := legible(text)
		if !utf8.ValidString(shown) {
			t.Fatalf("%q is no text", shown)
		}
		for _, r := range shown {
			if r != '\n' && r != '\t' && acts(r) {
				t.Fatalf("%q holds %q", shown, r)
			}
		}
		if shown != legible([]byte(shown)) {
			t.Fatalf("%q changes when it is made legible again", shown)
		}
	})
}

func TestForeignTextHasNoPasswordOfAnURL(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://u:p4ss@db:5432/x":            "postgres://***@db:5432/x",
		"see https://a:b@c and ssh://d@e":        "see https://***@c and ssh://***@e",
		"https://example.com/@path mail a@b.com": "https://example.com/@path mail a@b.com",
		"line\nbreak \x1b[2J":                    `line\nbreak \x1b[2J`,
	} {
		require.Equal(t, want, foreign(in))
	}
}

func TestSectionsAreAlignedAndBounded(t *testing.T) {
	var b strings.Builder
	writeSections(&b, []Section{
		{Fields: []Field{{"Name", "x"}, {"Exit Code", "0"}}},
		{Title: "Labels", Fields: []Field{{Label: "a=b\nLabels:"}, {Label: "c=" + strings.Repeat("d", 10000)}}},
	})
	require.Equal(t, "Name:      x\nExit Code: 0\nLabels:\n  a=b\\nLabels:\n  c="+strings.Repeat("d", 254)+"…\n", b.String())

	many := make([]Field, 100000)
	for i := range many {
		many[i] = Field{"label", strings.Repeat("v", 1000)}
	}
	b.Reset()
	writeFields(&b, "  ", many)
	require.Equal(t, 257, strings.Count(b.String(), "\n"))
	require.True(t, strings.HasSuffix(b.String(), "\n  (99744 more)\n"))
}

func TestEventLines(t *testing.T) {
	var b strings.Builder
	writeEvents(&b, []Event{
		{At: time.Date(2026, 3, 1, 12, 0, 0, 9, time.FixedZone("", 3600)), Warning: true, Reason: "NonZeroExit", Message: "code 3"},
		{Reason: "HealthCheck", Message: "two\nlines"},
	})
	require.Equal(t, "[2026-03-01T11:00:00Z] Warning  NonZeroExit          code 3\n[N/A] Normal   HealthCheck          two\\nlines\n", b.String())
}

func TestNewestLines(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
		cut  bool
	}{
		{"", 3, "", false},
		{"a\n", 1, "a\n", false},
		{"a\nb\n", 1, "b\n", true},
		{"a\nb\nc\n", 2, "b\nc\n", true},
		{"a\nb\nc\n", 3, "a\nb\nc\n", false},
		{"a\n\n\n", 2, "\n\n", true},
	} {
		kept, cut := newest([]byte(c.text), c.n)
		require.Equal(t, c.want, string(kept), "%+v", c)
		require.Equal(t, c.cut, cut, "%+v", c)
	}
}
