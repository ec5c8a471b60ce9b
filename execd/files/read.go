package files

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNotRegular says that a path is no file with content of its own.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a regular file for reading, following links. It never blocks, which
// a FIFO would, and never triggers a device.
func Open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.ENXIO) { // a socket
		return nil, nil, ErrNotRegular
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotRegular
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// Lines copies lines of r to w (contract 06 §9.3): from line offset (1-based) on,
// at most limit lines (0 = all), joined by "\n" without one at the end, and with
// the "\r" and "\n" at the end of each removed. Lines of any length take constant memory.
func Lines(w io.Writer, r io.Reader, offset, limit int64) error {
	in, out := bufio.NewReaderSize(r, 64<<10), bufio.NewWriterSize(w, 64<<10)
	for line := int64(1); limit == 0 || line < offset+limit || offset+limit < offset; line++ {
		wanted := line >= offset
		begun, err := copyLine(out, in, wanted, line > offset)
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if !begun {
			return out.Flush()
		}
	}
	return out.Flush()
}

// copyLine moves one line. It reports io.EOF when the input ended with it, and
// begun=false when there was none.
func copyLine(out *bufio.Writer, in *bufio.Reader, wanted, join bool) (begun bool, err error) {
	carriage := 0 // "\r" seen last and not written: they may turn out to end the line
	for {
		part, err := in.ReadSlice('\n')
		if len(part) > 0 && !begun {
			begun = true
			if wanted && join {
				_ = out.WriteByte('\n')
			}
		}
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		if wanted && len(part) > 0 {
			body := len(part)
			for body > 0 && part[body-1] == '\r' {
				body--
			}
			if body > 0 {
				for ; carriage > 0; carriage-- {
					_ = out.WriteByte('\r')
				}
				_, _ = out.Write(part[:body])
			}
			carriage += len(part) - body
		}
		switch {
		case ended:
			return begun, nil
		case errors.Is(err, bufio.ErrBufferFull):
		default:
			return begun, err
		}
	}
}
