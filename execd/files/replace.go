package files

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ErrEmptyOld refuses a replacement of nothing.
var ErrEmptyOld = errors.New("the text to replace must not be empty")

// Replace replaces every occurrence of old in the file and returns their number.
// The file is streamed, so its size does not matter, and is only touched when
// there is something to replace. With KeepLinks a link is ErrLink.
func Replace(path string, old, replacement []byte, links Links) (count int, err error) {
	if len(old) == 0 {
		return 0, ErrEmptyOld
	}
	flags := os.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY
	if links == KeepLinks {
		flags |= unix.O_NOFOLLOW
	}
	f, err := os.OpenFile(path, flags, 0)
	switch {
	case errors.Is(err, unix.ELOOP):
		return 0, ErrLink
	case errors.Is(err, unix.ENXIO):
		return 0, ErrNotRegular
	case err != nil:
		return 0, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return 0, err
	} else if !info.Mode().IsRegular() {
		return 0, ErrNotRegular
	}
	staged, err := Stage(path, links)
	if err != nil {
		return 0, err
	}
	defer staged.Discard()
	if count, err = substitute(staged, f, old, replacement); err != nil || count == 0 {
		return 0, err
	}
	if err := staged.Pause(); err != nil {
		return 0, err
	}
	return count, staged.Commit(Permission{})
}

// substitute copies r to w with every old replaced, from left to right and
// without overlap. It holds back one byte less than old between reads, because
// an occurrence may span them.
func substitute(w io.Writer, r io.Reader, old, replacement []byte) (count int, err error) {
	const chunk = 256 << 10
	buf := make([]byte, 0, chunk+len(old))
	for ended := false; !ended; {
		n, err := io.ReadFull(r, buf[len(buf):min(cap(buf), len(buf)+chunk)])
		buf = buf[:len(buf)+n]
		if ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !ended {
			return count, err
		}
		done := 0
		for {
			i := bytes.Index(buf[done:], old)
			if i < 0 {
				break
			}
			if _, err := w.Write(buf[done : done+i]); err != nil {
				return count, err
			}
			if _, err := w.Write(replacement); err != nil {
				return count, err
			}
			count++
			done += i + len(old)
		}
		keep := len(old) - 1
		if ended {
			keep = 0
		}
		if upto := len(buf) - keep; upto > done {
			if _, err := w.Write(buf[done:upto]); err != nil {
				return count, err
			}
			done = upto
		}
		buf = buf[:copy(buf, buf[done:])]
	}
	return count, nil
}
