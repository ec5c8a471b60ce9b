package h1

import (
	"bytes"
	"errors"
	"strconv"
)

// ErrUnsendable is a request with a byte that would end one of its lines early.
var ErrUnsendable = errors.New("the request holds bytes that no HTTP/1.1 line can carry")

// RequestHead writes heads of requests into a buffer that it keeps: Begin, Field…, End.
type RequestHead struct {
	buf   []byte
	lines int
	bad   bool
}

// Begin writes the request line: the path and the query as they are. mark puts a "?" also
// before an empty query.
func (h *RequestHead) Begin(method, path, query string, mark bool) {
	h.lines, h.bad = 1, !IsToken(method)
	buf := append(append(h.buf[:0], method...), ' ')
	target := len(buf)
	if path == "" || path[0] != '/' {
		buf = append(buf, '/')
	}
	buf = append(buf, path...)
	if mark || query != "" {
		buf = append(append(buf, '?'), query...)
	}
	for _, c := range buf[target:] {
		h.bad = h.bad || c <= ' ' || c == 0x7f
	}
	h.buf = append(buf, " HTTP/1.1\r\n"...)
}

// Field writes one field line.
func (h *RequestHead) Field(name, value string) {
	h.lines++
	h.buf = append(append(append(append(h.buf, name...), ": "...), value...), "\r\n"...)
}

// End writes the empty line and returns the head, which is valid until the next Begin.
func (h *RequestHead) End() ([]byte, error) {
	h.buf = append(h.buf, "\r\n"...)
	// Whatever the client managed to put into a name or value: there are as many lines
	// as were written.
	if h.bad || bytes.Count(h.buf, []byte{'\n'}) != h.lines+1 || bytes.Count(h.buf, []byte{'\r'}) != h.lines+1 ||
		bytes.IndexByte(h.buf, 0) >= 0 {
		return h.buf, ErrUnsendable
	}
	return h.buf, nil
}

// Trim gives up a buffer that an unusual head has made big.
func (h *RequestHead) Trim() {
	if cap(h.buf) > firstBuffer {
		h.buf = nil
	}
}

// Length writes the size of a body.
func (h *RequestHead) Length(n int64) {
	h.lines++
	h.buf = append(strconv.AppendInt(append(h.buf, "Content-Length: "...), n, 10), "\r\n"...)
}

// AppendChunk writes a chunk's size line.
func AppendChunk(buf []byte, size int) []byte {
	return append(strconv.AppendInt(buf, int64(size), 16), "\r\n"...)
}

// AppendTrailer writes the end of a chunked body with its trailers.
func AppendTrailer(buf []byte, trailer map[string][]string) ([]byte, error) {
	h := RequestHead{buf: append(buf, "0\r\n"...), lines: 1}
	for name, values := range trailer {
		for _, v := range values {
			h.Field(name, v)
		}
	}
	return h.End()
}
