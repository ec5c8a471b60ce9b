package files

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func lines(t *testing.T, text string, offset, limit int64) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Lines(&out, iotest.OneByteReader(strings.NewReader(text)), offset, limit))
	var again bytes.Buffer
	require.NoError(t, Lines(&again, strings.NewReader(text), offset, limit))
	require.Equal(t, out.String(), again.String(), "the size of reads does not matter")
	return out.String()
}

func TestLines(t *testing.T) {
	const five = "line1\nline2\nline3\nline4\nline5"
	for _, c := range []struct {
		text          string
		offset, limit int64
		want          string
	}{
		{five, 2, 2, "line2\nline3"},
		{five, 4, 0, "line4\nline5"},
		{five, 1, 2, "line1\nline2"},
		{five + "\n", 4, 9, "line4\nline5"},
		{five, 6, 1, ""},
		{five, 1 << 62, 1 << 62, ""},
		{"", 1, 0, ""},
		{"\n\nx", 1, 0, "\n\nx"},
		{"\n", 1, 0, ""},
		{"a\r\nb\r\r\nc\rd\r", 1, 0, "a\nb\nc\rd"},
		{"a\n\nb\n", 1, 2, "a\n"},
	} {
		require.Equal(t, c.want, lines(t, c.text, c.offset, c.limit), "%q from %d, %d", c.text, c.offset, c.limit)
	}
	long := strings.Repeat("x", 200<<10)
	require.Equal(t, long+"\nb", lines(t, long+"\r\nb", 1, 0))
	carriages := strings.Repeat("\r", 200<<10)
	require.Equal(t, carriages+"x", lines(t, carriages+"x\n", 1, 0))
	require.Empty(t, lines(t, carriages+"\n", 1, 0))
}

func TestOpenRefusesWhatBlocks(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	for _, path := range []string{fifo, dir, "/dev/zero"} {
		_, _, err := Open(path)
		require.ErrorIs(t, err, ErrNotRegular, path)
	}
	_, _, err := Open(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
