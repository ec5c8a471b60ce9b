package files

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseRange(t *testing.T) {
	for header, want := range map[string]Span{
		"bytes=0-9":                       {0, 10},
		"bytes=5-":                        {5, 95},
		"bytes=-10":                       {90, 10},
		"bytes=-1000":                     {0, 100},
		"bytes=90-1000":                   {90, 10},
		"bytes=200-,3-4, 5-6":             {3, 2},
		"BYTES = 1-1":                     {1, 1},
		"bytes=,,2-2":                     {2, 1},
		"bytes=0-99999999999999999999999": {0, 100},
	} {
		got, err := ParseRange(header, 100)
		require.NoError(t, err, header)
		require.Equal(t, want, got, header)
	}
	for header, want := range map[string]error{
		"bytes=100-":                  ErrRangeUnsatisfiable,
		"bytes=100-,200-":             ErrRangeUnsatisfiable,
		"bytes=-0":                    ErrRangeUnsatisfiable,
		"bytes=99999999999999999999-": ErrRangeUnsatisfiable,
		"bytes=":                      ErrRangeMalformed,
		"bytes=-":                     ErrRangeMalformed,
		"bytes=5-3":                   ErrRangeMalformed,
		"bytes=a-b":                   ErrRangeMalformed,
		"bytes=1-2,x":                 ErrRangeMalformed,
		"bytes=+1-2":                  ErrRangeMalformed,
		"bytes=--1":                   ErrRangeMalformed,
		"lines=1-2":                   ErrRangeMalformed,
		"0-9":                         ErrRangeMalformed,
	} {
		_, err := ParseRange(header, 100)
		require.ErrorIs(t, err, want, header)
	}
	_, err := ParseRange("bytes=0-", 0)
	require.ErrorIs(t, err, ErrRangeUnsatisfiable)
}

// FuzzParseRange: what is accepted lies within the file.
func FuzzParseRange(f *testing.F) {
	f.Add("bytes=0-9,5-", int64(100))
	f.Add("bytes=-5", int64(0))
	f.Add("bytes=9223372036854775807-", int64(1))
	f.Fuzz(func(t *testing.T, header string, size int64) {
		size = max(0, size)
		if s, err := ParseRange(header, size); err == nil {
			require.GreaterOrEqual(t, s.Start, int64(0))
			require.Positive(t, s.Length)
			require.LessOrEqual(t, s.Length, size-s.Start)
		}
	})
}

func FuzzParseMetadata(f *testing.F) {
	f.Add([]byte(`{"path":"/workspace/a.txt","owner":"root","group":null,"mode":644}`))
	f.Add([]byte(`{"path":"","mode":1e99}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := ParseMetadata(data); err == nil {
			require.NotEmpty(t, m.Path)
			require.NotContains(t, m.Path, "\x00")
			_, _ = m.resolve()
		}
	})
}
