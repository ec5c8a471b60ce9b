package examine

import (
	"bytes"
	"io"

	"github.com/docker/docker/pkg/stdcopy"
)

// Tail reads a log stream to its end and keeps the newest max bytes, in whole lines; cut
// tells whether there were more. Streams of containers without a terminal are framed.
func Tail(stream io.Reader, framed bool, max int) (text []byte, cut bool, err error) {
	kept := window{max: max}
	if framed {
		_, err = stdcopy.StdCopy(&kept, &kept, stream)
	} else {
		_, err = io.Copy(&kept, stream)
	}
	if err != nil {
		return nil, false, err
	}
	text, cut = kept.lines()
	return text, cut, nil
}

// window keeps the end of what is written to it, in less than twice its size.
type window struct {
	max     int
	content []byte
	dropped bool
}

// Write implements io.Writer. It does not fail.
func (w *window) Write(p []byte) (int, error) {
	n := len(p)
	if n > w.max {
		p, w.content, w.dropped = p[n-w.max:], w.content[:0], true
	}
	if len(w.content)+len(p) > 2*w.max {
		w.content = append(w.content[:0], w.content[len(w.content)-w.max:]...)
		w.dropped = true
	}
	w.content = append(w.content, p...)
	return n, nil
}

// lines gives the newest whole lines; the last one is ended if its writer did not.
func (w *window) lines() (text []byte, cut bool) {
	text, cut = w.content, w.dropped
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	if len(text) > w.max {
		text, cut = text[len(text)-w.max:], true
	}
	if cut {
		// What the window begins with is the rest of a line.
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text, cut
}
