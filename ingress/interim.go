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

// interim relays 1xx answers such as Early Hints. The transport calls it from a
// goroutine of its own, so it must know when the handler goes on.
type interim struct {
	x     *exchange
	mu    sync.Mutex
	count int
	over  bool
}

func (i *interim) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{Got1xxResponse: i.relay}
}

func (i *interim) relay(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.count++; i.count > maxInterim {
		return errInterimFlood
	}
	// The server sends its own 100 when the body is read.
	if i.over || code == http.StatusContinue {
		return nil
	}
	h := i.x.w.Header()
	var added []string
	for name, values := range header {
		if _, ours := h[name]; !ours && !isHopByHop(name) {
			h[name] = values
			added = append(added, name)
		}
	}
	i.x.w.WriteHeader(code)
	for _, name := range added {
		delete(h, name)
	}
	return nil
}

func (i *interim) stop() {
	i.mu.Lock()
	i.over = true
	i.mu.Unlock()
}
