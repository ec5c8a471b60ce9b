package guard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pollSlice is how often a waiting prompt looks whether its context has ended.
const pollSlice = 100 * time.Millisecond

// maxLine bounds what is kept of an answer.
const maxLine = 256

// readLine reads one line without its line end. It polls the terminal rather than
// block in a read, so that no goroutine is left behind when nobody answers. The
// error is os.ErrDeadlineExceeded after wait, ctx's error, or io.EOF.
func readLine(ctx context.Context, f *os.File, wait time.Duration) (string, error) {
	deadline := time.Now().Add(wait)
	var line []byte
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return "", os.ErrDeadlineExceeded
		}
		slice := max(min(left, pollSlice).Milliseconds(), 1)
		ready := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, int(slice))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return "", err
		}
		if n <= 0 {
			continue
		}
		chunk := make([]byte, maxLine)
		n, err = f.Read(chunk)
		if n <= 0 || err != nil {
			return "", io.EOF
		}
		line = append(line, chunk[:n]...)
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			return strings.TrimSuffix(string(line[:end]), "\r"), nil
		}
		if len(line) > maxLine {
			return "", io.EOF
		}
	}
}
