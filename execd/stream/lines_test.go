package stream

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func split(chunks ...string) []string {
	var got []string
	l := NewLines(func(s string) { got = append(got, s) })
	for _, c := range chunks {
		l.Write([]byte(c))
	}
	l.Flush()
	return got
}

func TestLines(t *testing.T) {
	for name, c := range map[string]struct{ in, want []string }{
		"the contract's example":        {[]string{"a\n\nb\n\n\nc\n"}, []string{"a", "\n", "b", "\n", "\n", "c"}},
		"unterminated last line":        {[]string{"a\nb"}, []string{"a", "b"}},
		"carriage returns":              {[]string{"10%\r20%\rdone\n"}, []string{"10%", "20%", "done"}},
		"crlf":                          {[]string{"a\r\n\r\nb\r\n"}, []string{"a", "\n", "b"}},
		"crlf split across writes":      {[]string{"a\r", "\nb"}, []string{"a", "b"}},
		"cr, then a line, then lf":      {[]string{"a\r", "b\n"}, []string{"a", "b"}},
		"lf after a swallowed lf":       {[]string{"a\r\n\n"}, []string{"a", "\n"}},
		"nothing":                       {[]string{""}, nil},
		"a line in many pieces":         {[]string{"a", "b", "", "c\n"}, []string{"abc"}},
		"empty write between cr and lf": {[]string{"a\r", "", "\n"}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, split(c.in...)) })
	}
}

func TestLinesSplitsLongLines(t *testing.T) {
	whole := strings.Repeat("x", MaxLine)
	require.Equal(t, []string{whole}, split(whole+"\n"), "a line of exactly the limit is one event")
	require.Equal(t, []string{whole, "y"}, split(whole+"y\n"))

	// The cut never falls into a rune.
	runes := strings.Repeat("é", MaxLine/2)
	got := split("x" + runes + "\n")
	require.Equal(t, "x"+runes, strings.Join(got, ""))
	for _, s := range got {
		require.NotContains(t, s, "\ufffd")
		require.True(t, json.Valid(mustJSON(t, s)))
	}
}

func TestLinesBoundsTheEncodedForm(t *testing.T) {
	noise := strings.Repeat("\x01", MaxLine)
	got := split(noise)
	require.Greater(t, len(got), 1)
	require.Equal(t, noise, strings.Join(got, ""))
	for _, s := range got {
		require.Less(t, len(mustJSON(t, s)), 4<<20)
	}
}

func mustJSON(t *testing.T, s string) []byte {
	t.Helper()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	return b
}

// FuzzLines: however the bytes are chunked, the lines are the same, none is
// empty, and no byte but terminators is lost.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\n\nb\r\nc\rd"), 3)
	f.Add([]byte("\r\n\r\n"), 1)
	f.Add([]byte("\xff\xfe\n\xc3"), 2)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		whole := split(string(data))
		size = max(1, size%16)
		var chunks []string
		for rest := string(data); rest != ""; {
			n := min(size, len(rest))
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		require.Equal(t, whole, split(chunks...))
		strip := strings.NewReplacer("\r", "", "\n", "")
		require.Equal(t, strip.Replace(string(data)), strip.Replace(strings.Join(whole, "")))
		for _, s := range whole {
			require.NotEmpty(t, s)
		}
	})
}
