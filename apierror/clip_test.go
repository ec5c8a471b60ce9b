package apierror

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestClip(t *testing.T) {
	whole := strings.Repeat("a", maxClipped)
	require.Equal(t, whole, Clip(whole))
	require.Equal(t, whole+"…", Clip(whole+"a"))
	cut := Clip("a" + strings.Repeat("ä", maxClipped))
	require.True(t, utf8.ValidString(cut), "%q", cut)
	require.Len(t, cut, maxClipped-1+len("…"))
	require.LessOrEqual(t, len(Clip(strings.Repeat("\x80", 500))), maxClipped+len("…"), "no text at all")
}
