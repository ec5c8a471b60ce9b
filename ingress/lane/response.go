package lane

import (
	"bufio"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// holdback is how much of an answer of unknown length waits for its end: a short answer
// goes out with its length, in one write.
const holdback = 2 << 10

// response is the http.ResponseWriter of a request. Like net/http's it is for one
// goroutine, but for interim answers.
type response struct {
	conn    *conn
	request *http.Request
	content *content
	header  http.Header

	status   int   // 0 = not said yet
	length   int64 // declared; -1 = not known
	written  int64 // by the handler
	fixed    bool  // the head is rendered to its end
	chunked  bool
	typed    bool // the head needs no Content-Type from us
	coded    bool // the handler set a Transfer-Encoding
	closing  bool
	hijacked bool
	trailers []string // announced

	out  *buffer // what is to be sent; nil = nothing was rendered
	held []byte  // the begin of the content, until it is clear how it is framed
	err  error   // of writing

	interim  sync.Mutex // held while an interim answer is written
	canInter bool       // interim answers may still be sent

	pace  sync.Mutex // never held while anything is written
	timed bool       // the handler has set a write deadline
}

// buffer is what one write to the client is put together in.
type buffer struct {
	b    []byte
	held [holdback]byte
}

var bufferPool = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, 4<<10)} }}

func (w *response) reset(c *conn, r *http.Request, content *content) {
	header := w.header
	if header == nil {
		header = make(http.Header, 8)
	}
	clear(header)
	w.conn, w.request, w.content, w.header = c, r, content, header
	w.status, w.length, w.written = 0, -1, 0
	w.fixed, w.chunked, w.typed, w.coded, w.closing, w.hijacked = false, false, false, false, r.Close, false
	w.trailers, w.err = nil, nil
	w.interim.Lock()
	w.canInter = true
	w.interim.Unlock()
	w.pace.Lock()
	w.timed = false
	w.pace.Unlock()
}

// release gives the buffers back.
func (w *response) release() {
	w.held, w.request, w.content = nil, nil, nil
	if w.out != nil {
		if cap(w.out.b) <= 16<<10 {
			w.out.b = w.out.b[:0]
			bufferPool.Put(w.out)
		}
		w.out = nil
	}
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// Status implements Answer.
func (w *response) Status() int { return w.status }

// Size implements Answer.
func (w *response) Size() int { return int(w.written) }

// Received implements Answer.
func (w *response) Received() int {
	if w.content == nil {
		return 0
	}
	return int(w.content.read.Load())
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.hijacked || w.status != 0 {
		return
	}
	if status < 100 || status > 999 {
		panic("lane: invalid status " + strconv.Itoa(status))
	}
	if status < 200 && status != http.StatusSwitchingProtocols {
		w.writeInterim(status)
		return
	}
	w.interim.Lock()
	w.canInter = false
	w.interim.Unlock()
	w.status = status
	w.out = bufferPool.Get().(*buffer)
	w.held = w.out.held[:0]
	w.renderHead()
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if !hasContent(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(p)); w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	if w.fixed {
		w.send(p)
		return len(p), w.err
	}
	if w.length < 0 && len(w.held)+len(p) <= holdback {
		w.held = append(w.held, p...)
		return len(p), w.err
	}
	if len(w.held) == 0 {
		w.fixHead(p, false)
	} else {
		w.fixHead(w.held, false)
		w.send(w.held)
	}
	w.send(p)
	return len(p), w.err
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

// send puts content behind what is to be sent, and sends it when it is much.
func (w *response) send(p []byte) {
	if w.request.Method == http.MethodHead || len(p) == 0 || w.err != nil {
		return
	}
	if w.chunked {
		w.out.b = append(strconv.AppendInt(w.out.b, int64(len(p)), 16), "\r\n"...)
	}
	if len(w.out.b)+len(p)+2 <= cap(w.out.b) {
		w.out.b = append(w.out.b, p...)
		if w.chunked {
			w.out.b = append(w.out.b, "\r\n"...)
		}
		return
	}
	pieces := net.Buffers{w.out.b, p}
	if w.chunked {
		pieces = append(pieces, []byte("\r\n"))
	}
	if _, err := pieces.WriteTo(w.conn.rwc); err != nil {
		w.fail(err)
	}
	w.out.b = w.out.b[:0]
}

// push sends what is to be sent.
func (w *response) push() {
	if w.out == nil || len(w.out.b) == 0 || w.err != nil {
		return
	}
	if _, err := w.conn.rwc.Write(w.out.b); err != nil {
		w.fail(err)
	}
	w.out.b = w.out.b[:0]
}

// fail ends an exchange whose client takes no more.
func (w *response) fail(err error) {
	w.err = err
	w.conn.watch.cancelRequest()
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is what http.ResponseController calls.
func (w *response) FlushError() error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.fixed {
		w.fixHead(w.held, false)
		w.send(w.held)
	}
	w.push()
	return w.err
}

// finish completes the answer and tells whether the connection can go on.
func (w *response) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.fixed {
		w.fixHead(w.held, true)
		w.send(w.held)
	}
	if w.chunked {
		w.out.b = append(w.out.b, "0\r\n"...)
		w.renderTrailers()
		w.out.b = append(w.out.b, "\r\n"...)
	}
	w.push()
	w.pace.Lock()
	if w.timed {
		_ = w.conn.rwc.SetWriteDeadline(time.Time{})
	}
	w.pace.Unlock()
	short := w.length >= 0 && w.written != w.length && w.request.Method != http.MethodHead && hasContent(w.status)
	return w.err == nil && !w.closing && !short
}

// SetReadDeadline is for http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	w.conn.watch.mu.Lock()
	defer w.conn.watch.mu.Unlock()
	w.conn.watch.timed = true
	w.conn.deadline = t
	return w.conn.rwc.SetReadDeadline(t)
}

// EnableFullDuplex is for http.ResponseController; the lane knows nothing else.
func (*response) EnableFullDuplex() error { return nil }

// Hijack implements http.Hijacker. No request follows on the connection.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked {
		return nil, nil, http.ErrHijacked
	}
	w.interim.Lock()
	w.canInter = false
	w.interim.Unlock()
	c := w.conn
	c.watch.end()
	w.hijacked, w.status = true, http.StatusSwitchingProtocols
	c.lane.forget(c)
	c.rwc.Release()
	if err := c.rwc.SetDeadline(time.Time{}); err != nil {
		return nil, nil, err
	}
	in := c.in
	c.in = nil // a WebSocket outlives it by hours
	return c.rwc, bufio.NewReadWriter(in, bufio.NewWriterSize(c.rwc, 512)), nil
}

// hasContent tells statuses whose answers have content.
func hasContent(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}
