package wire_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/wire"
)

func TestExpiry(t *testing.T) {
	for seconds, text := range map[uint64]string{
		0: "0", 1: "1", 35: "z", 36: "10", 2000000500: "x2qy9g", 1<<64 - 1: "3w5e11264sgsf",
	} {
		require.Equal(t, text, wire.FormatExpiry(seconds))
		got, ok := wire.ParseExpiry(text)
		require.True(t, ok)
		require.Equal(t, seconds, got)
	}
	for _, bad := range []string{"", "00", "01", "-1", "+1", "A", "3w5e11264sgsg", "zzzzzzzzzzzzz", "1 ", "1_0"} {
		_, ok := wire.ParseExpiry(bad)
		require.False(t, ok, bad)
	}
}

// ParseExpiry takes what strconv would write, and nothing else.
func FuzzParseExpiry(f *testing.F) {
	for _, text := range []string{"0", "x2qxvk", "3w5e11264sgsf", "3w5e11264sgsg", "00", "-1", "+1", "X", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := wire.ParseExpiry(text)
		want, err := strconv.ParseUint(text, 36, 64)
		require.Equal(t, err == nil && strconv.FormatUint(want, 36) == text, ok)
		if ok {
			require.Equal(t, want, got)
			require.Equal(t, text, wire.FormatExpiry(got))
		}
	})
}
