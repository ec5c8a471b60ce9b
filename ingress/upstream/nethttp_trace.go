package upstream

import (
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
)

// trace follows one round trip of the nethttp core: it notes whether a connection was
// there to send on, and passes interim answers on. The transport calls it from goroutines
// of its own, so it must know when the handler goes on.
type trace struct {
	peer  Peer
	head  bool
	mu    sync.Mutex
	sent  bool
	count int // of interim answers
	size  int // of their heads
	over  bool
}

func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: t.gotConn, Got1xxResponse: t.relay}
}

func (t *trace) gotConn(got httptrace.GotConnInfo) {
	if c, ok := got.Conn.(*framedConn); ok {
		c.framing.begin(t.head)
	}
	t.mu.Lock()
	t.sent = true
	t.mu.Unlock()
}

func (t *trace) relay(code int, header textproto.MIMEHeader) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	if t.size += sizeOf(header); t.count > maxInterim || t.size > maxInterimBytes {
		return errInterimFlood
	}
	if !t.over && code != http.StatusContinue {
		t.peer.Interim(code, http.Header(header))
	}
	return nil
}

// stop ends the relaying and tells whether bytes may have been sent.
func (t *trace) stop() (sent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	return t.sent
}

// sizeOf is the size of a head, but for its status line.
func sizeOf(header textproto.MIMEHeader) (size int) {
	for name, values := range header {
		for _, v := range values {
			size += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	return size
}
