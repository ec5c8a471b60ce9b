package redislist

// shortest is the least that an element of an array takes: its type, and the line's end.
const shortest = 3

// framing follows the framing of RESP2 through the answers of Redis, in pieces of any
// size. The client library allocates what a size announces before any of it has come, so
// a size has to be refused before the library sees it. The types of RESP3, which nobody
// asked for, are refused altogether.
type framing struct {
	body  int // bytes of a string that are still to come, its line's end included
	owed  int // elements of arrays that are still to come
	line  int // bytes of the present line so far
	kind  byte
	size  int  // as far as its digits have come
	minus bool // the size begins with a minus: only -1, for "nothing", may
	cr    bool // the last byte was a carriage return
}

// follow takes the next bytes; at most left more may come, these included. After an error
// the framing is of no more use.
func (f *framing) follow(p []byte, left int) error {
	for len(p) > 0 {
		if f.body > 0 {
			n := min(f.body, len(p))
			f.body, left, p = f.body-n, left-n, p[n:]
			continue
		}
		left--
		if err := f.next(p[0]); err != nil {
			return err
		}
		if p[0] == '\n' {
			if err := f.end(left); err != nil {
				return err
			}
		}
		p = p[1:]
	}
	return nil
}

// next takes one byte of a line.
func (f *framing) next(b byte) error {
	first := f.line == 0
	f.line++
	switch {
	case first:
		switch b {
		case '+', '-', ':', '$', '*':
			f.kind = b
			return nil
		}
		return errReplyMalformed
	case b == '\n':
		if !f.cr || f.line <= shortest {
			return errReplyMalformed
		}
		return nil
	case !f.sized():
		f.cr = b == '\r'
		return nil
	case f.cr:
		return errReplyMalformed // the end of the line has to follow
	case b == '\r':
		f.cr = true
		return nil
	case b == '-' && f.line == 2:
		f.minus = true
		return nil
	case b < '0' || b > '9':
		return errReplyMalformed
	}
	// A size that is too large stays so, and does not overflow.
	f.size = min(10*f.size+int(b-'0'), 10*maxReply)
	return nil
}

// end takes the end of a line. What is announced has to fit into what may still come, and
// so does what all the arrays together lack.
func (f *framing) end(left int) error {
	kind, size, minus, length := f.kind, f.size, f.minus, f.line
	sized := f.sized()
	f.line, f.kind, f.size, f.minus, f.cr = 0, 0, 0, false, false
	f.owed = max(0, f.owed-1)
	switch {
	case !sized:
		return nil
	case minus:
		if size != 1 || length != len("$-1\r\n") {
			return errReplyMalformed
		}
		return nil
	case kind == '*':
		f.owed += size
		if f.owed > left/shortest {
			return errReplyTooLarge
		}
	default:
		f.body = size + len("\r\n")
		if f.body > left {
			return errReplyTooLarge
		}
	}
	return nil
}

// sized tells whether the line of this type holds nothing but a size.
func (f *framing) sized() bool { return f.kind == '$' || f.kind == '*' }
