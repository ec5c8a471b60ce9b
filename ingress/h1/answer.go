package h1

import (
	"net/http"
	"net/textproto"
	"strings"
)

// Answer is the head of an answer, interim ones included.
type Answer struct {
	Extent
	Status int
	// Header holds the fields under their canonical names, without the ones that
	// Extent and Trailer stand for: Transfer-Encoding, and Trailer of a chunked body.
	Header http.Header
	// Trailer names the announced trailers; nil if there are none.
	Trailer http.Header
}

// ParseAnswer parses a head as Reader.Head returns it. head tells that the request was a
// HEAD. A line that ends in a bare line feed is read as most do, but marks the answer as
// the connection's last one.
func ParseAnswer(text []byte, head bool) (Answer, error) {
	var a Answer
	rest := string(text) // the fields share it
	line, rest := a.cutLine(rest)
	minor, status, err := ParseStatus(line)
	if err != nil {
		return Answer{}, err
	}
	a.Status = status
	lines := strings.Count(rest, "\n")
	if lines > MaxFields+1 {
		return Answer{}, ErrTooLong
	}
	values := make([]string, lines)
	a.Header = make(http.Header, lines)
	for i := 0; ; i++ {
		if line, rest = a.cutLine(rest); line == "" {
			break
		}
		name, value, err := ParseField(line)
		if err != nil {
			return Answer{}, err
		}
		if err := a.Field(name, value); err != nil {
			return Answer{}, err
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		before, repeated := a.Header[name]
		if repeated && name == "Content-Length" {
			continue // says the same: Field has compared them
		}
		if repeated {
			a.Header[name] = append(before, value)
			continue
		}
		values[i] = value
		a.Header[name] = values[i : i+1 : i+1]
	}
	if err := a.End(minor, status, head); err != nil {
		return Answer{}, err
	}
	if a.chunked {
		delete(a.Header, "Transfer-Encoding")
		err = a.announce()
	}
	return a, err
}

// cutLine cuts the first line off and its end away.
func (a *Answer) cutLine(text string) (line, rest string) {
	i := strings.IndexByte(text, '\n')
	if i < 0 {
		return "", ""
	}
	line, rest = text[:i], text[i+1:]
	if i > 0 && line[i-1] == '\r' {
		return line[:i-1], rest
	}
	a.Last = true
	return line, rest
}

// announce moves what the Trailer field names to where net/http has it.
func (a *Answer) announce() error {
	lists, ok := a.Header["Trailer"]
	if !ok {
		return nil
	}
	delete(a.Header, "Trailer")
	a.Trailer = make(http.Header)
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = textproto.CanonicalMIMEHeaderKey(trimBlank(name))
			if !trailing(name) {
				return ErrMalformed
			}
			a.Trailer[name] = nil
		}
	}
	return nil
}

// trailing tells whether a field may come after the body: none that governs framing.
func trailing(name string) bool {
	switch name {
	case "Transfer-Encoding", "Content-Length", "Trailer":
		return false
	}
	return IsToken(name)
}
