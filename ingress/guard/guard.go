package guard

import (
	"bytes"
	"io"
)

// maxLine bounds what is kept of a line that arrives in pieces. Heads are bounded by the
// parser behind; this only has to be larger than any bound it may have.
const maxLine = 2 << 20

// maxChunkLine bounds the line before a chunk: its size and extensions nobody uses.
const maxChunkLine = 1024

// part is what the next byte of a connection belongs to.
type part uint8

const (
	requestLine part = iota
	fields
	content
	chunkSize
	chunkData
	chunkEnd
	trailers
	preface   // of HTTP/2
	unwatched // no HTTP/1, or not any more
	refused
)

// Guard follows one connection. The zero value is a fresh connection. It is not safe for
// concurrent use, as reads of one stream are not.
type Guard struct {
	part   part
	begun  bool   // a request line has been read
	count  int    // of request lines
	line   []byte // of the current line, what earlier reads brought
	remain int64  // bytes of content or of a chunk that are still to come; lines of the preface seen
	head   head
	inject []byte // what the parser reads in place of the line that was refused
}

// Read reads from src on behalf of the parser. After a refusal it gives out what makes
// the parser refuse, too, and then io.EOF.
func (g *Guard) Read(src io.Reader, p []byte) (int, error) {
	if g.part == refused {
		return g.refusal(p)
	}
	n, err := src.Read(p)
	if n <= 0 || g.part == unwatched {
		return n, err
	}
	if ok := g.watch(p[:n]); ok == n {
		return n, err
	} else if ok > 0 {
		return ok, nil
	}
	return g.refusal(p)
}

// Release ends the watch: from here on no parser of HTTP/1 reads the connection. What was
// refused before does not come back.
func (g *Guard) Release() {
	g.line, g.inject = nil, nil
	if g.part != refused {
		g.part = unwatched
	}
}

// Sound tells whether the head of one request, with the empty line behind it, would pass.
// It is for a parser that does not rely on the watch below it.
func Sound(head []byte) bool {
	g := Guard{begun: true}
	return g.watch(head) == len(head) && g.count == 1 && g.part != fields
}

// Watching tells whether bytes have to pass through Read.
func (g *Guard) Watching() bool { return g.part != unwatched }

// Between tells that what has passed are whole requests and no more than a part of a
// request line; how many requests since Again, and the part of the line.
func (g *Guard) Between() (requests int, line []byte, ok bool) {
	return g.count, g.line, g.part == requestLine
}

// Again returns a guard for another parser, which has to read unread first: the begin of a
// request and all that this guard has let pass since. After a refusal the new guard brings
// it, together with the refusal; otherwise it is to be read through the new guard.
func (g *Guard) Again(unread []byte) (next Guard, rest []byte) {
	if g.part == refused {
		return Guard{part: refused, inject: append(append([]byte(nil), unread...), g.inject...)}, nil
	}
	return Guard{begun: g.begun}, unread
}

func (g *Guard) refusal(p []byte) (int, error) {
	n := copy(p, g.inject)
	if g.inject = g.inject[n:]; n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// watch follows p and returns how many of its bytes may go to the parser; fewer than all
// only together with a refusal.
func (g *Guard) watch(p []byte) int {
	at := 0
	for at < len(p) {
		rest := p[at:]
		switch g.part {
		case unwatched:
			return len(p)
		case content, chunkData:
			n := min(int64(len(rest)), g.remain)
			g.remain -= n
			at += int(n)
			switch {
			case g.remain > 0:
			case g.part == content:
				g.part = requestLine
			default:
				g.part = chunkEnd
			}
			continue
		}
		if g.part == requestLine && !g.begun && len(g.line) == 0 && !mayBegin(rest[0]) {
			g.part = unwatched
			return len(p)
		}
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			if g.line = append(g.line, rest...); len(g.line) > g.bound() {
				g.refuse(len(g.line) > len(rest))
				return at
			}
			return len(p)
		}
		line, began := rest[:end+1], len(g.line) > 0
		if began {
			g.line = append(g.line, line...)
			line = g.line
		}
		if len(line) > g.bound() || !g.judge(line) {
			g.refuse(began)
			return at
		}
		g.line = g.line[:0]
		at += end + 1
	}
	return at
}

// bound is how long a line may be here.
func (g *Guard) bound() int {
	if g.part == chunkSize {
		return maxChunkLine
	}
	return maxLine
}

// mayBegin tells the first bytes of connections that are watched. Others cannot become a
// request: TLS, a PROXY header in binary. Where nothing reads those before the parser,
// it refuses them.
func mayBegin(c byte) bool { return c > ' ' && c < 0x7f }

// refuse makes the parser fail. began tells that it has a part of the line already.
func (g *Guard) refuse(began bool) {
	inChunks := g.part == chunkSize || g.part == chunkEnd
	g.part, g.line = refused, nil
	switch {
	case inChunks:
		// No end of a chunk, and no line that ends as one has to. The end of the connection
		// would do, too, but look like a client that left.
		g.inject = []byte("x\n")
	case began:
		g.inject = []byte("\r\n:\r\n\r\n")
	default:
		g.inject = []byte(":\r\n\r\n")
	}
}

// judge takes one whole line, with its end, and tells whether it may pass.
func (g *Guard) judge(line []byte) bool {
	n := len(line) - 2
	if n < 0 || line[n] != '\r' {
		return false // ends in a bare LF
	}
	line = line[:n]
	if bytes.IndexByte(line, '\r') >= 0 || bytes.IndexByte(line, 0) >= 0 {
		return false
	}
	switch g.part {
	case requestLine:
		return g.judgeRequestLine(line)
	case fields:
		if n > 0 {
			return g.head.field(line)
		}
		g.endHead()
		return true
	case chunkSize:
		return g.judgeChunk(line)
	case chunkEnd:
		g.part = chunkSize
		return n == 0
	case preface:
		g.remain++
		if int(g.remain) == len(prefaceLines) {
			g.part = unwatched
		}
		return string(line) == prefaceLines[g.remain-1]
	default: // trailers
		if n == 0 {
			g.part = requestLine
			return true
		}
		return trailer(line)
	}
}

// prefaceLines follow "PRI * HTTP/2.0" in the preface of HTTP/2.
var prefaceLines = [...]string{"", "SM", ""}

// judgeRequestLine leaves methods and targets to the parser. It needs the version, since
// what HTTP/1.0 does not know would frame differently.
func (g *Guard) judgeRequestLine(line []byte) bool {
	if len(line) == 0 {
		return true // some clients end a POST with a line too many; the parser decides
	}
	if !g.begun && string(line) == "PRI * HTTP/2.0" {
		g.part, g.begun, g.remain = preface, true, 0
		return true
	}
	if !g.begun && isProxyHeader(line) {
		return true // another reader stands before the parser, or the parser refuses it
	}
	end := bytes.LastIndexByte(line, ' ')
	version, ok := bytes.CutPrefix(line[end+1:], []byte("HTTP/1."))
	if !ok || len(version) != 1 || version[0] < '0' || version[0] > '9' {
		return false
	}
	g.begun = true
	g.count++
	g.part, g.head = fields, head{length: -1, old: version[0] == '0'}
	if method := bytes.IndexByte(line, ' '); method < end {
		g.head.target(line[method+1 : end])
	}
	return true
}

func (g *Guard) endHead() {
	switch {
	case g.head.chunked:
		g.part = chunkSize
	case g.head.length > 0:
		g.part, g.remain = content, g.head.length
	default:
		g.part = requestLine
	}
}

// judgeChunk reads the size of a chunk. The limit of digits is far above any real chunk
// and keeps the number from overflowing.
func (g *Guard) judgeChunk(line []byte) bool {
	digits := line
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		digits = line[:i]
	}
	if len(digits) == 0 || len(digits) > 15 {
		return false
	}
	g.remain = 0
	for _, c := range digits {
		v := unhex(c)
		if v > 15 {
			return false
		}
		g.remain = g.remain<<4 | int64(v)
	}
	if g.part = chunkData; g.remain == 0 {
		g.part = trailers
	}
	return true
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}
