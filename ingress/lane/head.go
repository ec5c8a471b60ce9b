package lane

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// renderHead writes the status line and the fields that the handler has set; how the
// content is framed may be known later.
func (w *response) renderHead() {
	b := appendStatus(w.out.b[:0], w.status)
	date := false
	w.coded = len(w.header["Transfer-Encoding"]) > 0
	for name, values := range w.header {
		switch name {
		case "Transfer-Encoding":
			continue
		case "Content-Length":
			w.takeLength(values)
			continue
		case "Content-Type":
			w.typed = true
			if w.status == http.StatusNotModified {
				continue
			}
		case "Content-Encoding":
			w.typed = w.typed || len(values) > 0 && values[0] != ""
		case "Connection":
			if httpguts.HeaderValuesContainsToken(values, "close") {
				w.closing = true
				continue
			}
		case "Date":
			date = true
		case "Trailer":
			w.announce(values)
		default:
			if strings.HasPrefix(name, http.TrailerPrefix) {
				w.coded = true // there will be trailers, so there are chunks
				continue
			}
		}
		b = appendField(b, name, values)
	}
	if w.length >= 0 {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), w.length, 10), "\r\n"...)
	}
	if !date {
		b = append(append(append(b, "Date: "...), now()...), "\r\n"...)
	}
	w.out.b = b
}

// takeLength believes a length that the handler has declared, if it is one.
func (w *response) takeLength(values []string) {
	if len(values) == 0 || w.coded || !hasContent(w.status) {
		return
	}
	if n, err := strconv.ParseInt(values[0], 10, 64); err == nil && n >= 0 {
		w.length = n
	}
}

func (w *response) announce(values []string) {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" && httpguts.ValidTrailerHeader(name) {
				w.trailers = append(w.trailers, name)
			}
		}
	}
}

// fixHead decides how the content is framed and ends the head. first is how the content
// begins, and all of it when the handler is done.
func (w *response) fixHead(first []byte, done bool) {
	w.fixed = true
	b, content, head := w.out.b, hasContent(w.status), w.request.Method == http.MethodHead
	if content && !w.typed && !w.coded && len(first) > 0 {
		b = append(append(append(b, "Content-Type: "...), http.DetectContentType(first)...), "\r\n"...)
	}
	switch {
	case !content || w.length >= 0:
	case done && len(w.trailers) == 0 && !w.coded:
		if !head || len(first) > 0 {
			w.length = int64(len(first))
			b = append(strconv.AppendInt(append(b, "Content-Length: "...), w.length, 10), "\r\n"...)
		}
	case !head:
		w.chunked = true
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if w.content != nil && w.content.expects() {
		w.closing = true // who knows whether the content comes
	}
	if w.closing {
		b = append(b, "Connection: close\r\n"...)
	}
	w.out.b = append(b, "\r\n"...)
}

// renderTrailers writes the fields that were announced, and those that the handler has
// marked without announcing them.
func (w *response) renderTrailers() {
	for _, name := range w.trailers {
		w.out.b = appendField(w.out.b, name, w.header[name])
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			w.out.b = appendField(w.out.b, name, values)
		}
	}
}

func appendStatus(b []byte, status int) []byte {
	b = strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = strconv.AppendInt(append(b, "status code "...), int64(status), 10)
	}
	return append(b, "\r\n"...)
}

// appendField writes a field, one line per value. A name that is none is left out; line
// ends in values become spaces.
func appendField(b []byte, name string, values []string) []byte {
	if !httpguts.ValidHeaderFieldName(name) {
		return b
	}
	for _, v := range values {
		b = append(append(b, name...), ": "...)
		b = append(append(b, oneLine(v)...), "\r\n"...)
	}
	return b
}

var lineEnds = strings.NewReplacer("\n", " ", "\r", " ")

func oneLine(v string) string {
	if strings.IndexByte(v, '\n') >= 0 || strings.IndexByte(v, '\r') >= 0 {
		v = lineEnds.Replace(v)
	}
	return strings.Trim(v, " \t")
}

// second is one second's Date.
type second struct {
	unix int64
	text string
}

var lastSecond atomic.Pointer[second]

// now is the value of Date, made once per second.
func now() string {
	t := time.Now()
	if s := lastSecond.Load(); s != nil && s.unix == t.Unix() {
		return s.text
	}
	s := &second{t.Unix(), t.UTC().Format(http.TimeFormat)}
	lastSecond.Store(s)
	return s.text
}
