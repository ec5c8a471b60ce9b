package ingress

import (
	"errors"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
)

// maxInterim bounds the 1xx answers to one request (threat row B2).
const maxInterim = 32

var errInterimFlood = errors.New("too many interim responses")

// trace follows one round trip: it notes whether a connection was there to send on, and
// relays 1xx answers such as Early Hints. The transport calls it from goroutines of its
// own, so it must know when the handler goes on.
type trace struct {
	x     *exchange
	mu    sync.Mutex
	sent  bool
	count int
	over  bool
}

func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{GotConn: t.gotConn, Got1xxResponse: t.relay}
}

func (t *trace) gotConn(got httptrace.GotConnInfo) {
	if c, ok := got.Conn.(*conn); ok {
		c.framing.begin(t.x.r.Method == http.MethodHead)
	}
	t.mu.Lock()
	t.sent = true
	t.mu.Unlock()
}

func (t *trace) relay(code int, header textproto.MIMEHeader) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count++; t.count > maxInterim {
		return errInterimFlood
	}
	// The server sends its own 100 when the body is read; HTTP/1.0 has none of these.
	if t.over || code == http.StatusContinue || !t.x.r.ProtoAtLeast(1, 1) {
		return nil
	}
	h := t.x.w.Header()
	var added []string
	for name, values := range header {
		if _, ours := h[name]; !ours && t.x.interimAllowed(http.Header(header), name) {
			h[name] = values
			added = append(added, name)
		}
	}
	t.x.w.WriteHeader(code)
	for _, name := range added {
		delete(h, name)
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
