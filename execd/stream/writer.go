package stream

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// ErrClosed is returned by Send once the stream has ended or its client has gone.
var ErrClosed = errors.New("event stream is closed")

// stall bounds one write: a peer that takes nothing for so long is gone. Without
// it a stuck client would hold back the command whose output it no longer reads.
const stall = 30 * time.Second

// Writer frames events onto an HTTP response. It is safe for concurrent use;
// status and headers go out with the first event, so that a failure before it can
// still be an ordinary error response.
type Writer struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	started bool
	closed  bool
}

// NewWriter prepares a stream on w and writes nothing.
func NewWriter(w http.ResponseWriter) *Writer {
	return &Writer{w: w, control: http.NewResponseController(w)}
}

// Send stamps, writes and flushes one event. After Close, or after a write
// failed, it returns ErrClosed and drops the event.
func (s *Writer) Send(e Event) error {
	e.Timestamp = time.Now().UnixMilli()
	return s.WriteJSON(e)
}

// WriteJSON writes and flushes any value in the framing of the stream.
func (s *Writer) WriteJSON(v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line) // ends the value with the first of the two newlines
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	line.WriteByte('\n')

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if !s.started {
		s.started = true
		WriteHeaders(s.w)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(stall)) // recorders in tests have no deadline
	if _, err := s.w.Write(line.Bytes()); err != nil {
		s.closed = true
		return ErrClosed
	}
	if err := s.control.Flush(); err != nil {
		s.closed = true
		return ErrClosed
	}
	return nil
}

// Close ends the stream for every producer. The handler calls it before it
// returns: nothing may touch the ResponseWriter afterwards.
func (s *Writer) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	_ = s.control.SetWriteDeadline(time.Time{}) // the connection may serve further requests
}

// WriteHeaders commits status 200 and the headers of contract 06 §4.1.
func WriteHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("Connection", "keep-alive")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
}
