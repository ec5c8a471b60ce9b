package h1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Bounds of what a sandbox may send beside bodies, in bytes.
const (
	MaxHead      = 64 << 10
	maxTrailer   = 16 << 10
	maxChunkLine = 4 << 10
)

// ErrTooLong is an answer head, a trailer section, one of their lists or a chunk's size
// line above its bound.
var ErrTooLong = errors.New("the answer's head, trailer or chunk line is too long")

const (
	quoted      = 64 // bytes of nonsense in an error
	firstBuffer = 4 << 10
	// direct is the least room for which a body bypasses the buffer.
	direct = 2 << 10
)

// Reader reads answers off one connection. It keeps at most the bytes of one Read of
// the connection beyond what was asked of it, or one head.
type Reader struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] is unread
}

// NewReader reads from src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, firstBuffer)} }

// Buffered is the number of bytes that were received and not consumed yet.
func (b *Reader) Buffered() int { return b.w - b.r }

// Trim gives up a buffer that an unusual head has made big, if nothing is left in it.
func (b *Reader) Trim() {
	if len(b.buf) > firstBuffer && b.r == b.w {
		b.buf, b.r, b.w = make([]byte, firstBuffer), 0, 0
	}
}

// Head reads up to and with the empty line that ends a head. The slice is valid until
// the next call.
//
// io.EOF means that the connection ended before the first byte, io.ErrUnexpectedEOF
// that it ended within.
//
// What cannot become a head is ErrMalformed as soon as that is seen: other protocols
// say hello and wait.
func (b *Reader) Head() ([]byte, error) { return b.section(protocol, MaxHead) }

func (b *Reader) section(begin string, limit int) ([]byte, error) {
	for scanned := 0; ; {
		unread := b.buf[b.r:b.w]
		if n := min(len(unread), len(begin)); string(unread[:n]) != begin[:n] {
			return nil, fmt.Errorf("%w, it begins with %q", ErrMalformed, unread[:min(len(unread), quoted)])
		}
		var whole bool
		if scanned, whole = emptyLine(unread, scanned); whole {
			if scanned > limit {
				return nil, ErrTooLong
			}
			b.r += scanned
			return unread[:scanned], nil
		}
		if len(unread) >= limit {
			return nil, ErrTooLong
		}
		if err := b.fill(limit); err != nil {
			return nil, b.ended(err)
		}
	}
}

// emptyLine finds the first empty line from a line's start on. It returns the index
// behind it, or else the start of the last line, to go on from when there is more.
func emptyLine(text []byte, start int) (at int, found bool) {
	for {
		line := text[start:]
		switch {
		case len(line) > 0 && line[0] == '\n':
			return start + 1, true
		case len(line) > 1 && line[0] == '\r' && line[1] == '\n':
			return start + 2, true
		}
		i := bytes.IndexByte(line, '\n')
		if i < 0 {
			return start, false
		}
		start += i + 1
	}
}

// line reads one line and cuts its end, which must be CRLF.
func (b *Reader) line(limit int) ([]byte, error) {
	for {
		unread := b.buf[b.r:b.w]
		if i := bytes.IndexByte(unread, '\n'); i >= 0 {
			if i == 0 || unread[i-1] != '\r' {
				return nil, ErrMalformed
			}
			b.r += i + 1
			return unread[:i-1], nil
		}
		if len(unread) >= limit {
			return nil, ErrTooLong
		}
		if err := b.fill(limit); err != nil {
			return nil, b.ended(err)
		}
	}
}

// ended is err, where the end of the connection in the middle of something is no end.
func (b *Reader) ended(err error) error {
	if err == io.EOF && b.Buffered() > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fill reads once more behind the unread bytes; the buffer grows to limit at most.
func (b *Reader) fill(limit int) error {
	if b.r > 0 && (b.r == b.w || b.w == len(b.buf)) {
		b.w = copy(b.buf, b.buf[b.r:b.w])
		b.r = 0
	}
	if b.w == len(b.buf) {
		grown := make([]byte, max(firstBuffer, min(2*len(b.buf), limit+firstBuffer)))
		b.w = copy(grown, b.buf[:b.w])
		b.buf = grown
	}
	n, err := b.src.Read(b.buf[b.w:])
	b.w += n
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// readTunnel is Read without end: the buffer is given up with the last byte in it.
func (b *Reader) readTunnel(p []byte) (int, error) {
	if b.r == b.w {
		b.buf, b.r, b.w = nil, 0, 0
		return b.src.Read(p)
	}
	return b.Read(p)
}

// Read implements io.Reader: what is buffered, else one read of the connection.
func (b *Reader) Read(p []byte) (int, error) {
	if b.r == b.w {
		if len(p) >= direct {
			return b.src.Read(p)
		}
		if err := b.fill(len(b.buf)); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.buf[b.r:b.w])
	b.r += n
	return n, nil
}
