package h1

import "strings"

// Kind says how the end of a body is found.
type Kind uint8

// Kinds of bodies.
const (
	None    Kind = iota // there is no body
	Sized               // Length bytes
	Chunked             // chunks, then trailers
	ToEnd               // everything up to the end of the connection
	Tunnel              // no HTTP any more: 101
)

// Extent collects what the fields of a head say about its body and tells where that ends
// (RFC 9112 §6.3). The zero value is a head without fields.
type Extent struct {
	Kind   Kind
	Length int64 // of the body when Sized; what HEAD and 304 announce, too; -1 = unknown
	Last   bool  // the connection can carry no other answer after this one

	sized, chunked, closing bool
	length                  int64
	fields                  int
	options, trailers       int // items of Connection and of Trailer
}

// Bounds of a head, beside its size. Every field is held against every option of
// Connection, and every trailer against the ones announced before (threat row B2).
const (
	MaxFields = 256
	MaxItems  = 32 // of all Connection fields, and of all Trailer fields
)

// Field takes one field of the head.
func (e *Extent) Field(name, value string) error {
	if e.fields++; e.fields > MaxFields {
		return ErrTooLong
	}
	switch len(name) {
	case len("Connection"):
		if strings.EqualFold(name, "Connection") {
			if e.options += 1 + strings.Count(value, ","); e.options > MaxItems {
				return ErrTooLong
			}
			e.closing = e.closing || hasToken(value, "close")
		}
	case len("Trailer"):
		if strings.EqualFold(name, "Trailer") {
			if e.trailers += 1 + strings.Count(value, ","); e.trailers > MaxItems {
				return ErrTooLong
			}
		}
	case len("Content-Length"):
		if strings.EqualFold(name, "Content-Length") {
			return e.contentLength(value)
		}
	case len("Transfer-Encoding"):
		if strings.EqualFold(name, "Transfer-Encoding") {
			if e.chunked || !strings.EqualFold(value, "chunked") {
				return ErrMalformed
			}
			e.chunked = true
		}
	}
	return nil
}

func (e *Extent) contentLength(value string) error {
	const most = 18 // digits that always fit
	if value == "" || len(value) > most {
		return ErrMalformed
	}
	var n int64
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' {
			return ErrMalformed
		}
		n = 10*n + int64(value[i]-'0')
	}
	if e.sized && n != e.length {
		return ErrMalformed
	}
	e.sized, e.length = true, n
	return nil
}

// End decides after the last field. head tells that the request was a HEAD.
func (e *Extent) End(minor, status int, head bool) error {
	if e.chunked && (e.sized || minor == 0) {
		return ErrMalformed
	}
	e.Last = e.Last || e.closing || minor == 0
	e.Length = -1
	if e.sized {
		e.Length = e.length
	}
	switch {
	case status == 101:
		e.Kind, e.Last = Tunnel, true
	case status < 200:
		e.Kind, e.Length = None, 0
	case head, status == 204, status == 304:
		// What these announce must not come, and may come all the same, also later.
		e.Kind = None
		e.Last = e.Last || head || e.chunked || e.length != 0
		if !head {
			e.Length = 0
		}
	case e.chunked:
		e.Kind = Chunked
	case !e.sized:
		e.Kind, e.Last = ToEnd, true
	case e.length == 0:
		e.Kind = None
	default:
		e.Kind = Sized
	}
	return nil
}

// hasToken tells whether a comma-separated list names want, in any case.
func hasToken(list, want string) bool {
	for list != "" {
		var item string
		item, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(trimBlank(item), want) {
			return true
		}
	}
	return false
}
