package stream

import "unicode/utf8"

const (
	// MaxLine is the longest line, in bytes, that is delivered as one event.
	MaxLine = 1 << 20
	// maxEncoded bounds the JSON form of one event's text: the Go SDK gives up on
	// lines above 4 MiB, and escapes blow a byte up to six.
	maxEncoded = 7 << 19
)

// Lines cuts a byte stream into the texts of stdout or stderr events (contract
// 06 §4.3): "\n", "\r" and "\r\n" end a line, the terminator is removed, and a
// blank line is the text "\n". A "\r\n" that arrives in two writes ends one line.
type Lines struct {
	emit     func(text string)
	pending  []byte
	afterCR  bool // the last byte was "\r": a "\n" now belongs to it
	splitOff bool // part of the current line has been delivered already
}

// NewLines calls emit, from within Write and Flush, for every line.
func NewLines(emit func(text string)) *Lines { return &Lines{emit: emit} }

// Write takes the next bytes. p is not retained.
func (l *Lines) Write(p []byte) {
	start := 0
	for i, b := range p {
		if b != '\n' && b != '\r' {
			l.afterCR = false
			continue
		}
		if b == '\n' && l.afterCR {
			l.afterCR, start = false, i+1
			continue
		}
		l.afterCR = b == '\r'
		l.add(p[start:i])
		l.end()
		start = i + 1
	}
	l.add(p[start:])
}

// Flush delivers an unterminated last line.
func (l *Lines) Flush() {
	if len(l.pending) > 0 {
		l.end()
	}
	l.splitOff = false
}

func (l *Lines) add(p []byte) {
	for len(l.pending)+len(p) > MaxLine {
		room := MaxLine - len(l.pending)
		l.pending, p = append(l.pending, p[:room]...), p[room:]
		cut := wholeRunes(l.pending)
		rest := append([]byte(nil), l.pending[cut:]...)
		l.deliver(string(l.pending[:cut]))
		l.pending, l.splitOff = append(l.pending[:0], rest...), true
	}
	l.pending = append(l.pending, p...)
}

func (l *Lines) end() {
	switch {
	case len(l.pending) > 0:
		l.deliver(string(l.pending))
	case !l.splitOff: // the end of a line delivered in full by a split is not a blank line
		l.emit("\n")
	}
	l.splitOff = false
	if l.pending = l.pending[:0]; cap(l.pending) > 64<<10 {
		l.pending = nil // one long line must not pin a megabyte for the life of a command
	}
}

// deliver emits text in pieces whose JSON form stays within maxEncoded.
func (l *Lines) deliver(text string) {
	from, cost := 0, 0
	for i, r := range text {
		c := jsonCost(r)
		if cost+c > maxEncoded {
			l.emit(text[from:i])
			from, cost = i, 0
		}
		cost += c
	}
	if from < len(text) {
		l.emit(text[from:])
	}
}

// jsonCost is an upper bound of the bytes r takes inside a JSON string.
func jsonCost(r rune) int {
	switch {
	case r < 0x20, r == 0x7f, r == utf8.RuneError, r == '\u2028', r == '\u2029':
		return 6
	case r == '"', r == '\\':
		return 2
	default:
		return utf8.RuneLen(r)
	}
}

// wholeRunes returns the length of the longest prefix of b that does not end
// inside a UTF-8 sequence; bytes that are no UTF-8 at all count as whole.
func wholeRunes(b []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(b); back++ {
		c := b[len(b)-back]
		if utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-back:]) {
				return len(b) - back
			}
			break
		}
	}
	return len(b)
}
