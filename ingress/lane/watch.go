package lane

import (
	"bytes"
	"context"
	"sync"
	"time"
)

// patience is how long a request runs before somebody looks whether its client is still
// there. Most requests end sooner and cost no goroutine.
const patience = 100 * time.Millisecond

// watch notices a client that goes away while its request is being served.
type watch struct {
	conn  *conn
	timer *time.Timer

	mu       sync.Mutex
	cancel   context.CancelFunc // of the current request; nil = none
	read     bool               // the content has been read: the reading side is free
	due      bool               // patience is at its end
	timed    bool               // the handler has set a read deadline
	watching chan struct{}      // closed when the watcher has gone; nil = there is none
}

func (w *watch) init(c *conn) { w.conn = c }

// begin starts to count. read tells that there is no content to come.
func (w *watch) begin(cancel context.CancelFunc, read bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cancel, w.read, w.due, w.timed = cancel, read, false, false
	if w.timer == nil {
		w.timer = time.AfterFunc(patience, w.expire)
		return
	}
	w.timer.Reset(patience)
}

func (w *watch) expire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = true
	w.start()
}

// contentRead is called when the content has been read to its end.
func (w *watch) contentRead() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.read = true
	w.start()
}

// start starts the watcher when it is due and may read. w.mu is held.
func (w *watch) start() {
	if w.cancel == nil || !w.read || !w.due || w.watching != nil {
		return
	}
	gone := make(chan struct{})
	w.watching = gone
	w.conn.head = bytes.Clone(w.conn.head) // what is looked for comes into the buffer
	w.conn.setReadDeadline(time.Time{})
	go func() { // end waits for it
		defer close(gone)
		w.look()
	}()
}

// expectContent bounds the client's silence in the middle of what it has announced. A
// deadline of the handler's stands.
func (w *watch) expectContent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.timed {
		w.conn.expect(w.conn.lane.opts.ContentTimeout)
	}
}

// look waits for the connection to end. A further request that arrives stays in the
// buffer and ends the watch.
func (w *watch) look() {
	in := w.conn.in
	if in.Buffered() == in.Size() {
		return
	}
	if _, err := in.Peek(in.Buffered() + 1); err != nil {
		w.cancelRequest()
	}
}

// cancelRequest cancels the current request, if there is one.
func (w *watch) cancelRequest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
	}
}

// end stops watching: the reading side belongs to the connection's goroutine again.
func (w *watch) end() {
	w.timer.Stop()
	w.mu.Lock()
	w.cancel = nil
	gone := w.watching
	w.watching = nil
	w.mu.Unlock()
	if gone != nil {
		_ = w.conn.rwc.SetReadDeadline(time.Unix(1, 0))
		<-gone
		w.conn.setReadDeadline(time.Time{})
	}
}
