package ingress

import (
	"net/http"
	"sync"
	"time"
)

// cutGrace is how long a client that does not read may hold an exchange after its
// sandbox ended; streams end within one second (threat row A8).
const cutGrace = 500 * time.Millisecond

// peer stands for the client in one round trip. The upstream side of an exchange ends
// with the sandbox at once; a handler that is stuck in a write to a slow client is freed
// by peer a little later.
type peer struct {
	x *exchange

	mu       sync.Mutex
	timer    *time.Timer
	released bool
	expired  bool
}

// Fields implements upstream.Peer.
func (p *peer) Fields(yield func(name string, values []string)) { p.x.eachRequestHeader(yield) }

// Interim implements upstream.Peer: it relays answers before the answer, such as Early
// Hints. HTTP/1.0 has none of these.
func (p *peer) Interim(status int, header http.Header) {
	x := p.x
	if !x.r.ProtoAtLeast(1, 1) {
		return
	}
	h := x.w.Header()
	var added []string
	named, _ := connectionOptions(header["Connection"])
	for name, values := range header {
		if _, ours := h[name]; !ours && x.interimAllowed(named, name) {
			h[name] = values
			added = append(added, name)
		}
	}
	x.w.WriteHeader(status)
	for _, name := range added {
		delete(h, name)
	}
}

// Cut implements upstream.Peer.
func (p *peer) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.released {
		p.timer = time.AfterFunc(cutGrace, p.expire)
	}
}

func (p *peer) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.released {
		p.expired = true
		_ = http.NewResponseController(p.x.w).SetWriteDeadline(time.Now())
	}
}

// release ends the watch. A deadline that came too late is taken back: the next request
// on this connection is not to blame.
func (p *peer) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = true
	if p.timer != nil {
		p.timer.Stop()
	}
	if p.expired {
		_ = http.NewResponseController(p.x.w).SetWriteDeadline(time.Time{})
	}
}
