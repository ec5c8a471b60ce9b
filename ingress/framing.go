package ingress

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
)

var errFraming = errors.New("the answer's length is ambiguous: Content-Length and Transfer-Encoding contradict or hide each other")

// framing reads answers off an upstream connection and knows where each ends (threat row
// B3). A sandbox may send more than it announced, and net/http would take the rest for
// the answer to the next request, perhaps another client's. So bytes that nobody asked
// for end the connection: its reader sees them as EOF, with the last byte of the answer
// where they are already there, which keeps net/http from pooling it.
//
// It hands on every byte as it is and leaves judging an answer to net/http; what it
// cannot read itself it passes through up to the end of the connection.
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
	answer answerHead
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

// answerHead is what the fields of a head say about the body.
type answerHead struct {
	status     int
	http10     bool
	length     string
	hasLength  bool
	badLength  bool
	encodings  int
	chunked    bool
	lastFrames bool // the last field was one of these two
	mustClose  bool
}

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
	if f.answer.mustClose || f.in.Buffered() > 0 {
		f.ended, f.phase = true, atEnd
		return io.EOF
	}
	f.phase, f.answer = atStatus, answerHead{}
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
	if continued {
		return nil
	}
	text := bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	switch f.phase {
	case atStatus:
		f.statusLine(text)
	case inHead:
		err = f.headLine(text, whole)
	case inChunkSize:
		f.chunkSize(text, whole)
	case inTrailer:
		if len(text) == 0 && whole {
			f.phase = atEnd
		}
	}
	if errors.Is(err, errFraming) {
		f.out, f.err = nil, err
		return err
	}
	return nil
}

func (f *framing) statusLine(text []byte) {
	proto, rest, _ := bytes.Cut(text, []byte(" "))
	code, _, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	status, err := strconv.Atoi(string(code))
	if err != nil || len(code) != 3 || !bytes.HasPrefix(proto, []byte("HTTP/")) {
		f.phase = toTheLast
		return
	}
	f.phase, f.answer = inHead, answerHead{status: status, http10: string(proto) != "HTTP/1.1"}
}

func (f *framing) headLine(text []byte, whole bool) error {
	a := &f.answer
	if len(text) == 0 && whole {
		return f.endOfHead()
	}
	if len(text) == 0 || text[0] == ' ' || text[0] == '\t' { // goes on with the field before
		if a.lastFrames {
			return errFraming
		}
		return nil
	}
	name, value, _ := bytes.Cut(text, []byte(":"))
	bare := bytes.TrimSpace(name)
	isLength, isEncoding := bytes.EqualFold(bare, []byte("Content-Length")), bytes.EqualFold(bare, []byte("Transfer-Encoding"))
	a.lastFrames = isLength || isEncoding
	if a.lastFrames && (len(bare) != len(name) || !whole) {
		return errFraming
	}
	switch text := string(bytes.TrimSpace(value)); {
	case isLength:
		a.badLength = a.badLength || (a.hasLength && a.length != text)
		a.length, a.hasLength = text, true
	case isEncoding:
		a.encodings++
		a.chunked = len(text) == len("chunked") && bytes.EqualFold([]byte(text), []byte("chunked"))
	}
	return nil
}

// endOfHead decides how the body is delimited, as net/http does (RFC 9112 §6.3).
func (f *framing) endOfHead() error {
	a := &f.answer
	if a.encodings > 0 && (a.hasLength || a.http10) {
		return errFraming
	}
	f.mu.Lock()
	head := f.head
	f.mu.Unlock()
	length, err := strconv.ParseUint(a.length, 10, 62)
	switch {
	case a.status == 101:
		f.phase = toTheLast
	case a.status/100 == 1:
		f.phase = atStatus // the real answer follows
	case head, a.status == 204, a.status == 304:
		// What these announce must not come, and may come all the same, also later.
		f.phase = atEnd
		a.mustClose = head || a.encodings > 0 || (a.hasLength && a.length != "0")
	case a.encodings == 1 && a.chunked:
		f.phase = inChunkSize
	case a.encodings > 0, !a.hasLength, a.badLength, err != nil:
		f.phase = toTheLast
	case length == 0:
		f.phase = atEnd
	default:
		f.phase, f.left = inBody, int64(length)
	}
	return nil
}

func (f *framing) chunkSize(text []byte, whole bool) {
	digits, _, _ := bytes.Cut(text, []byte(";"))
	size, err := strconv.ParseUint(string(bytes.TrimRight(digits, " \t")), 16, 62)
	switch {
	case err != nil || !whole:
		f.phase = toTheLast
	case size == 0:
		f.phase = inTrailer
	default:
		f.phase, f.left = inChunk, int64(size)+2 // with its line end
	}
}
