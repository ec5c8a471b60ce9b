package command

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOutputAgainstAModel writes random pieces and compares every read with a
// plain slice of all that was written.
func TestOutputAgainstAModel(t *testing.T) {
	for name, dir := range map[string]string{
		"file":              t.TempDir(),
		"no place to write": filepath.Join(t.TempDir(), "absent"),
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 100_000
			rng := rand.New(rand.NewSource(1))
			o := newOutput(dir, limit)
			defer o.Close()
			var all []byte
			for range 400 {
				p := make([]byte, rng.Intn(3000))
				rng.Read(p)
				o.Write(p)
				all = append(all, p...)
				require.EqualValues(t, len(all), o.Total())

				offset := int64(rng.Intn(len(all) + 10))
				buf := make([]byte, rng.Intn(5000))
				n, start := o.ReadAt(buf, offset)
				if offset >= int64(len(all)) {
					require.Zero(t, n)
					require.Equal(t, offset, start)
					continue
				}
				require.GreaterOrEqual(t, start, offset)
				if start > offset {
					require.GreaterOrEqual(t, int64(len(all))-offset, int64(limit), "dropped only beyond the limit")
				}
				require.True(t, bytes.Equal(all[start:start+int64(n)], buf[:n]))
				require.EqualValues(t, min(int64(len(buf)), int64(len(all))-start), n)
			}
			if name == "file" {
				left, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Empty(t, left, "the file has no name")
			}
		})
	}
}

func TestOutputOneHugeWrite(t *testing.T) {
	o := newOutput(t.TempDir(), 40_000)
	defer o.Close()
	big := bytes.Repeat([]byte("0123456789"), 10_000)
	o.Write(big)
	buf := make([]byte, len(big))
	n, start := o.ReadAt(buf, 0)
	require.EqualValues(t, 60_000, start)
	require.True(t, bytes.Equal(big[60_000:], buf[:n]))
}

func TestOutputFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	require.NoError(t, err)
	o := newOutput(t.TempDir(), 100_000)
	defer o.Close()
	o.file, o.ring = full, 100_000
	o.Write([]byte("kept in memory"))
	buf := make([]byte, 100)
	n, start := o.ReadAt(buf, 0)
	require.Zero(t, start)
	require.Equal(t, "kept in memory", string(buf[:n]))
}
