package lane

import "time"

// writeInterim sends an answer before the answer.
func (w *response) writeInterim(status int) {
	w.interim.Lock()
	defer w.interim.Unlock()
	if !w.canInter {
		return
	}
	head := appendStatus(make([]byte, 0, 512), status)
	for name, values := range w.header {
		if name != "Content-Length" && name != "Transfer-Encoding" {
			head = appendField(head, name, values)
		}
	}
	w.sendInterim(append(head, "\r\n"...))
}

// writeContinue tells the client to send the content it has announced.
func (w *response) writeContinue() {
	w.interim.Lock()
	defer w.interim.Unlock()
	if w.canInter {
		w.sendInterim([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
}

// sendInterim writes an interim answer in the time there is for it. One that is cut short
// leaves a connection nobody can read: it ends.
func (w *response) sendInterim(head []byte) {
	w.boundInterim(time.Now().Add(w.conn.lane.opts.InterimTimeout))
	if _, err := w.conn.rwc.Write(head); err != nil {
		w.conn.abort()
		return
	}
	w.boundInterim(time.Time{})
}

// boundInterim sets a write deadline, unless the handler has set one: that stands.
func (w *response) boundInterim(t time.Time) {
	w.pace.Lock()
	defer w.pace.Unlock()
	if !w.timed {
		_ = w.conn.rwc.SetWriteDeadline(t)
	}
}

// SetWriteDeadline is for http.ResponseController. It ends with the request. It does not
// wait for a write under way, which it may be there to end.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.pace.Lock()
	defer w.pace.Unlock()
	w.timed = true
	return w.conn.rwc.SetWriteDeadline(t)
}
