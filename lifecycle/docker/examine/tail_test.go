package examine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/docker/docker/pkg/stdcopy"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/examine"
)

func TestTailReadsBothStreamsInOrder(t *testing.T) {
	var framed bytes.Buffer
	out, fail := stdcopy.NewStdWriter(&framed, stdcopy.Stdout), stdcopy.NewStdWriter(&framed, stdcopy.Stderr)
	fmt.Fprintln(out, "1 out")
	fmt.Fprintln(fail, "2 err")
	fmt.Fprint(out, "3 unended")
	text, cut, err := examine.Tail(iotest.OneByteReader(&framed), true, 1000)
	require.NoError(t, err)
	require.False(t, cut)
	require.Equal(t, "1 out\n2 err\n3 unended\n", string(text))
}

func TestTailKeepsTheNewestWholeLines(t *testing.T) {
	for _, c := range []struct {
		text, want string
		cut        bool
	}{
		{"", "", false},
		{"123456789\n", "123456789\n", false},
		{"1234567890", "", true}, // with the line feed that it lacks it does not fit
		{"old\n123456789\n", "", true},
		{"old\n12345\nabc\n", "abc\n", true},
		{"old\nabc\ndef\n", "abc\ndef\n", true},
		{strings.Repeat("x", 100) + "\nab\n", "ab\n", true},
	} {
		text, cut, err := examine.Tail(iotest.OneByteReader(strings.NewReader(c.text)), false, 10)
		require.NoError(t, err)
		require.Equal(t, c.cut, cut, "%q", c.text)
		require.Equal(t, c.want, string(text), "%q", c.text)
	}
}

func TestTailOfABrokenStream(t *testing.T) {
	broken := errors.New("broken")
	_, _, err := examine.Tail(io.MultiReader(strings.NewReader("line\n"), iotest.ErrReader(broken)), false, 10)
	require.ErrorIs(t, err, broken)
	_, _, err = examine.Tail(strings.NewReader("no frame at all, but text"), true, 10)
	require.Error(t, err)
}

// Whatever the chunks are, the result is the end of the text.
func FuzzTail(f *testing.F) {
	f.Add([]byte("a\nbb\nccc\n"), uint8(4), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, most, chunk uint8) {
		limit := int(most) + 1
		kept, cut, err := examine.Tail(&chunks{text, int(chunk) + 1}, false, limit)
		if err != nil {
			t.Fatal(err)
		}
		whole := text
		if len(whole) > 0 && whole[len(whole)-1] != '\n' {
			whole = append(bytes.Clone(whole), '\n')
		}
		switch {
		case len(kept) > limit:
			t.Fatalf("%d bytes kept of %d", len(kept), limit)
		case !bytes.HasSuffix(whole, kept):
			t.Fatalf("%q is not the end of %q", kept, whole)
		case !cut && !bytes.Equal(whole, kept):
			t.Fatalf("%q is not all of %q", kept, whole)
		case cut && len(whole) <= limit:
			t.Fatal("cut without a need")
		}
	})
}

// chunks reads at most size bytes at a time.
type chunks struct {
	text []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.size)], c.text)
	c.text = c.text[n:]
	return n, nil
}
