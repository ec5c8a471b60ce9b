package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/opensandbox-edge/edge/ingress/h1"
)

// framing reads answers off an upstream connection and knows where each ends (threat row
// B2). A sandbox may send more than it announced, and net/http would take the rest for
// the answer to the next request, perhaps another client's. So bytes that nobody asked
// for end the connection: its reader sees them as EOF, with the last byte of the answer
// where they are already there, which keeps net/http from pooling it.
//
// It hands on every byte as it is, and refuses the heads that the direct core refuses.
type framing struct {
	in *bufio.Reader

	mu    sync.Mutex
	asked bool // a request has got this connection and its answer has not ended
	wrote bool // … and a byte of it was sent
	head  bool // … and its method is HEAD
	ended bool // the connection has no further use

	// The rest belongs to the one reader.
	phase  phase
	out    []byte // of in's buffer, parsed but not handed on yet
	err    error  // comes after out
	left   int64  // of a sized body or chunk
	inLine bool   // in the middle of a line longer than the buffer
	answer h1.Extent
	minor  int
	status int
	// trailers counts the lines behind the last chunk.
	trailers int
}

type phase uint8

const (
	atStatus phase = iota // before an answer
	inHead
	inBody // of known length
	inChunkSize
	inChunk
	inTrailer
	atEnd     // of an answer, once out is handed on
	toTheLast // no further structure
)

func newFraming(c net.Conn) *framing { return &framing{in: bufio.NewReader(c)} }

// begin says that a request is about to be sent. One whose predecessor was not answered
// to its end gets a closed connection.
func (f *framing) begin(head bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = f.ended || (f.asked && f.wrote)
	f.asked, f.wrote, f.head = true, false, head
}

// sending says that bytes of the request go out.
func (f *framing) sending() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return net.ErrClosed
	}
	f.wrote = true
	return nil
}

// Read implements io.Reader.
func (f *framing) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(f.out) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		switch f.phase {
		case toTheLast:
			return f.in.Read(p)
		case inBody, inChunk:
			return f.readBody(p)
		case atStatus:
			if !f.expected() {
				return 0, io.EOF
			}
		case atEnd:
			return 0, io.EOF
		}
		if err := f.nextLine(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.out)
	f.out = f.out[n:]
	if len(f.out) == 0 && f.phase == atEnd {
		return n, f.finish()
	}
	return n, nil
}

// expected waits for the first byte of an answer and tells whether one is due.
func (f *framing) expected() bool {
	_, err := f.in.Peek(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || !f.asked || !f.wrote {
		f.ended = true
	}
	return !f.ended
}

func (f *framing) readBody(p []byte) (int, error) {
	n, err := f.in.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if f.left > 0 || err != nil {
		return n, err
	}
	if f.phase == inChunk {
		f.phase = inChunkSize
		return n, nil
	}
	return n, f.finish()
}

// finish ends an answer. It returns io.EOF when the connection may carry no other.
func (f *framing) finish() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked, f.wrote = false, false
	if f.answer.Last || f.in.Buffered() > 0 {
		f.ended, f.phase = true, atEnd
		return io.EOF
	}
	f.phase, f.answer = atStatus, h1.Extent{}
	return nil
}

// nextLine reads one line into out, or as much of it as the buffer holds.
func (f *framing) nextLine() error {
	line, err := f.in.ReadSlice('\n')
	whole := err == nil
	if errors.Is(err, bufio.ErrBufferFull) {
		err = nil
	}
	if len(line) == 0 {
		return err
	}
	f.out, f.err = line, err
	continued := f.inLine
	f.inLine = !whole
	text := string(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")))
	if whole && !bytes.HasSuffix(line, []byte("\r\n")) {
		f.answer.Last = true
	}
	err = nil
	switch {
	case f.phase == inChunkSize:
		f.chunkSize(text, whole && !continued)
	case continued:
		if !h1.ValidText(text) {
			err = h1.ErrMalformed
		}
	case f.phase == atStatus:
		err = f.statusLine(text)
	case f.phase == inHead:
		err = f.headLine(text, whole)
	case f.phase == inTrailer && text == "" && whole:
		f.phase = atEnd
	case f.phase == inTrailer:
		if f.trailers++; f.trailers > h1.MaxFields {
			err = h1.ErrTooLong
		}
	}
	if err != nil {
		// Not a byte at all would look like a connection that had been closed before,
		// and make net/http send the request again.
		f.out, f.err = line[:1], err
	}
	return nil
}

func (f *framing) statusLine(text string) (err error) {
	f.minor, f.status, err = h1.ParseStatus(text)
	f.phase, f.answer = inHead, h1.Extent{Last: f.answer.Last}
	return err
}

func (f *framing) headLine(text string, whole bool) error {
	if text == "" && whole {
		return f.endOfHead()
	}
	name, value, err := h1.ParseField(text)
	if err != nil {
		return err
	}
	if !whole && (strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Trailer")) {
		return h1.ErrTooLong // a list whose items cannot be counted here
	}
	return f.answer.Field(name, value)
}

// endOfHead decides how the body is delimited.
func (f *framing) endOfHead() error {
	f.mu.Lock()
	head := f.head
	f.mu.Unlock()
	if err := f.answer.End(f.minor, f.status, head); err != nil {
		return err
	}
	switch f.answer.Kind {
	case h1.Tunnel, h1.ToEnd:
		f.phase = toTheLast
	case h1.Chunked:
		f.phase = inChunkSize
	case h1.Sized:
		f.phase, f.left = inBody, f.answer.Length
	default:
		f.phase = atEnd
		if f.status < 200 {
			f.phase = atStatus // the real answer follows
		}
	}
	return nil
}

// chunkSize leaves judging a wrong size to net/http, which then reads no further.
func (f *framing) chunkSize(text string, whole bool) {
	size, err := h1.ParseChunk(text)
	switch {
	case err != nil || !whole:
		f.phase = toTheLast
	case size == 0:
		f.phase, f.trailers = inTrailer, 0
	default:
		f.phase, f.left = inChunk, size+2 // with its line end
	}
}
