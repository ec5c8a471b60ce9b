package h1

import (
	"bytes"
	"io"
	"net/http"
	"net/textproto"
)

// Body reads the body of one answer and not a byte beyond it.
type Body struct {
	in   *Reader
	kind Kind
	left int64 // of a sized body, or of the chunk
	err  error // sticky; io.EOF once the end was seen

	trailer *http.Header // filled at the end of a chunked body
	inChunk bool         // the line end behind the chunk's data is still due
	excess  int64        // bytes of chunk lines beyond what honest chunking needs
}

// Reset begins the body that a describes. Trailers are added to trailer when the body
// has ended.
func (b *Body) Reset(in *Reader, a *Answer, trailer *http.Header) {
	*b = Body{in: in, kind: a.Kind, left: a.Length, trailer: trailer}
	switch a.Kind {
	case None:
		b.err = io.EOF
	case Chunked:
		b.left = 0
	}
}

// Ended tells whether the whole body was read, so that the next byte on the connection
// belongs to another answer.
func (b *Body) Ended() bool { return b.err == io.EOF && b.kind != ToEnd && b.kind != Tunnel }

// Ready tells whether the next Read returns without waiting for the connection.
func (b *Body) Ready() bool {
	return b.err != nil || b.in.Buffered() > 0 && (b.kind != Chunked || b.left > 0 || b.nextIsBuffered())
}

// Read implements io.Reader. The last bytes come together with io.EOF where the end is
// known by then. A body that ends early is io.ErrUnexpectedEOF.
func (b *Body) Read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch b.kind {
	case Sized:
		n, err = b.read(p)
		if b.left == 0 && err == nil {
			err = io.EOF
		}
	case Chunked:
		n, err = b.readChunks(p)
	case Tunnel:
		n, err = b.in.readTunnel(p)
	default:
		n, err = b.in.Read(p)
	}
	b.err = err
	return n, err
}

// read reads of what is left; the end of the connection is too early.
func (b *Body) read(p []byte) (int, error) {
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
		if b.left == 0 {
			err = nil
		}
	}
	return n, err
}

// readChunks fills p from as many chunks as are there already.
func (b *Body) readChunks(p []byte) (n int, err error) {
	for {
		if b.left == 0 {
			if n > 0 && !b.nextIsBuffered() {
				return n, nil
			}
			if err := b.next(); err != nil {
				return n, err
			}
		}
		if n == len(p) || n > 0 && b.in.Buffered() == 0 {
			return n, nil
		}
		m, err := b.read(p[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
}

// nextIsBuffered tells whether next can go on without waiting.
func (b *Body) nextIsBuffered() bool {
	text := b.in.buf[b.in.r:b.in.w]
	if b.inChunk {
		if len(text) < 2 {
			return false
		}
		text = text[2:]
	}
	if len(text) == 0 || text[0] == '0' {
		return bytes.Contains(text, []byte("\r\n\r\n")) // the last chunk, with its trailers
	}
	return bytes.IndexByte(text, '\n') >= 0
}

// next goes on to the next chunk, or to the end of the body: io.EOF.
func (b *Body) next() error {
	if b.inChunk {
		if line, err := b.in.line(2); err != nil {
			return within(err)
		} else if len(line) > 0 {
			return ErrMalformed
		}
		b.inChunk = false
	}
	line, err := b.in.line(maxChunkLine)
	if err != nil {
		return within(err)
	}
	size, err := ParseChunk(string(line))
	if err != nil {
		return err
	}
	// A body of one-byte chunks with long extensions is an attack on whoever pays for
	// the parsing.
	b.excess = max(0, b.excess+int64(len(line))-16-2*size)
	if b.excess > maxTrailer {
		return ErrTooLong
	}
	if size > 0 {
		b.left, b.inChunk = size, true
		return nil
	}
	if err := b.readTrailer(); err != nil {
		return within(err)
	}
	return io.EOF
}

// within is err in the middle of a body, where the end of the connection is too early.
func within(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ParseChunk parses a size line without its end; extensions are ignored (RFC 9112 §7.1.1).
func ParseChunk(line string) (size int64, err error) {
	const most = 15 // digits that always fit
	digits := 0
	for digits < len(line) {
		c := line[digits]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			c = 16
		}
		if c == 16 {
			break
		}
		size = size<<4 | int64(c)
		if digits++; digits > most {
			return 0, ErrMalformed
		}
	}
	rest := trimBlank(line[digits:])
	if digits == 0 || rest != "" && rest[0] != ';' || !ValidText(rest) {
		return 0, ErrMalformed
	}
	return size, nil
}

// readTrailer reads the section behind the last chunk.
func (b *Body) readTrailer() error {
	text, err := b.in.section("", maxTrailer)
	if err != nil {
		return err
	}
	if len(text) == len("\r\n") {
		return nil
	}
	if bytes.Count(text, []byte{'\n'}) > MaxFields+1 {
		return ErrTooLong
	}
	var lines Answer
	for rest := string(text); ; {
		var line string
		if line, rest = lines.cutLine(rest); lines.Last {
			return ErrMalformed // a bare line feed
		}
		if line == "" {
			return nil
		}
		name, value, err := ParseField(line)
		if err != nil {
			return err
		}
		if name = textproto.CanonicalMIMEHeaderKey(name); !trailing(name) {
			return ErrMalformed
		}
		if *b.trailer == nil {
			*b.trailer = make(http.Header)
		}
		(*b.trailer)[name] = append((*b.trailer)[name], value)
	}
}
