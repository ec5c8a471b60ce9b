package quote_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/quote"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		`plain "text" é \x1b`:                `plain "text" é \x1b`,
		"\x1b[2J\r\nforged\x00":              `\x1b[2J\r\nforged\x00`,
		"a\u202eb\u2028c\xffd":               `a\u202eb\u2028c\xffd`,
		strings.Repeat("a", 256):             strings.Repeat("a", 256),
		strings.Repeat("a", 257):             strings.Repeat("a", 256) + "…",
		strings.Repeat("é", 200):             strings.Repeat("é", 128) + "…",
		"a" + strings.Repeat("é", 200):       "a" + strings.Repeat("é", 127) + "…",
		strings.Repeat("\n", 300):            strings.Repeat(`\n`, 256) + "…",
		strings.Repeat("a", 250) + "\n long": strings.Repeat("a", 250) + `\n long`,
	} {
		require.Equal(t, want, quote.Text(in))
	}
}

func FuzzText(f *testing.F) {
	f.Add(strings.Repeat("\xff", 300))
	f.Add("\x1b" + strings.Repeat("\u202e", 100))
	f.Fuzz(func(t *testing.T, s string) {
		out := quote.Text(s)
		require.True(t, utf8.ValidString(out))
		require.LessOrEqual(t, len(out), 8*quote.Max)
		require.False(t, strings.ContainsFunc(out, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u202e' }))
	})
}

func TestError(t *testing.T) {
	require.NoError(t, quote.Error(nil))
	err := quote.Error(fmt.Errorf("malformed \x1b%s: %w", strings.Repeat("x", 4096), io.EOF))
	require.ErrorIs(t, err, io.EOF)
	require.LessOrEqual(t, len(err.Error()), quote.Max+8)
	require.NotContains(t, err.Error(), "\x1b")
	require.NoError(t, errors.Unwrap(io.EOF))
}
