package proxy

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	for raw, want := range map[string]struct {
		port int
		path string
	}{
		"/8080":        {8080, "/"},
		"/8080/":       {8080, "/"},
		"/1/a%2Fb":     {1, "/a%2Fb"},
		"/65535//host": {65535, "//host"},
	} {
		port, path, err := split(raw)
		require.NoError(t, err, raw)
		require.Equal(t, want.port, port)
		require.Equal(t, want.path, path)
	}
	for _, raw := range []string{"", "/", "//x", "/0", "/65536", "/080", "/+80", "/-1", "/ 80", "/80 ", "/80:81/", "/1@evil/", "/0x50", "/８０", "/99999999999999999999"} {
		_, _, err := split(raw)
		require.Error(t, err, raw)
	}
}

// FuzzClean: what comes out is accepted by package url as it is, means the same,
// and keeps every escape.
func FuzzClean(f *testing.F) {
	f.Add("/a%2Fb|c")
	f.Add("/\xff%00 \"")
	f.Fuzz(func(t *testing.T, raw string) {
		cleaned := clean(raw)
		before, err := url.PathUnescape(raw)
		after, afterErr := url.PathUnescape(cleaned)
		require.Equal(t, err == nil, afterErr == nil)
		if err != nil {
			return
		}
		require.Equal(t, before, after)
		require.Equal(t, cleaned, (&url.URL{Path: after, RawPath: cleaned}).EscapedPath())
		require.GreaterOrEqual(t, strings.Count(cleaned, "%"), strings.Count(raw, "%"))
	})
}
