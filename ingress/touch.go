package ingress

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Toucher is told of accesses to sandboxes: of every request that was granted access and,
// for sandboxes that opted in, again while bytes flow in either direction. Touch must take
// nanoseconds when the last one of the same sandbox is recent, and must never block.
// path is the escaped path in the sandbox on uri routes and "" on the other forms.
type Toucher interface {
	Touch(e *lifecycle.Entry, port uint16, path string)
}

// These are variables for tests alone.
var (
	// retouch is the least time between two touches by one exchange, so that a stream does
	// not ask the Toucher for every piece.
	retouch = time.Second
	// uploadCounts is how long the answer to a request on the daemon's port may be
	// outstanding before the body that the client is still sending counts as activity.
	uploadCounts = 10 * time.Second
)

// What an exchange still has to tell the Toucher.
const (
	touchNever    uint32 = iota // nobody asked, the client asked not to, or the sandbox calls itself
	touchAnswered               // when the head of the answer says that access was granted
	touchPieces                 // when bytes have flowed
)

// touches is an exchange's part in the life of its sandbox. The copy loops of both
// directions use it at the same time.
type touches struct {
	phase  atomic.Uint32
	to     Toucher
	entry  *lifecycle.Entry
	port   uint16
	path   string
	began  time.Time    // zero when the sandbox did not opt in
	next   atomic.Int64 // when pieces count again, as a time.Duration since began
	upload bool         // the client has proven that it may talk to the daemon
}

// touch counts an access, after it was granted (threat row X5). A sandbox that calls
// itself does not keep itself alive. On the daemon's port the daemon has a say: what it
// answers with 401 or 403 was no access.
func (x *exchange) touch() {
	if x.Toucher == nil || isOwnAddress(x.entry, x.decision.Peer) || isOwnAddress(x.entry, x.decision.Client) {
		return
	}
	if x.isProbe() {
		return
	}
	t := &x.touches
	t.to, t.entry, t.port = x.Toucher, x.entry, x.route.Port
	// On a route that looks signed the path could repeat the signature, to whoever reads the
	// list of intents: without a secured sandbox those two segments are the application's.
	if x.route.Form == route.FormURI && x.decision.Route.Signature == "" {
		t.path = x.route.Path
	}
	if t.entry.RenewExtend > 0 || t.entry.IdleTimeout > 0 {
		t.began = time.Now()
	}
	if t.port != wire.PortExecd {
		t.start()
		return
	}
	if x.isStrangersPing() {
		return
	}
	// An upload is answered at its end, which may be long after the sandbox would have
	// expired: the body of a client with the sandbox's own token counts before.
	t.upload = !t.began.IsZero() && t.entry.ExecdTokenSum != nil && !x.isPing()
	t.next.Store(int64(uploadCounts))
	t.phase.Store(touchAnswered)
}

// isProbe tells requests that ask not to be taken for an access (contract 04 D17).
func (x *exchange) isProbe() bool {
	skip := x.r.Header[wire.HeaderAccessRenew]
	return len(skip) > 0 && skip[0] == "skip"
}

// touchHead is to be called with the status of every final answer, before its body, and
// of every switch of protocols.
func (x *exchange) touchHead(status int) {
	t := &x.touches
	if t.phase.Load() != touchAnswered {
		return
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		t.phase.Store(touchNever)
		return
	}
	t.start()
}

// touchAgain is to be called for every piece of a body or WebSocket, in either direction.
// Nearly every call ends after one look at the clock, and for sandboxes that did not opt
// in before that. Streams that are silent do not call it.
func (x *exchange) touchAgain() {
	t := &x.touches
	switch t.phase.Load() {
	case touchNever:
		return
	case touchAnswered:
		if !t.upload {
			return
		}
	}
	now, next := int64(time.Since(t.began)), t.next.Load()
	if now >= next && t.next.CompareAndSwap(next, now+int64(retouch)) {
		t.to.Touch(t.entry, t.port, t.path)
	}
}

// start counts the access itself and, if anything depends on it, what flows from now on.
func (t *touches) start() {
	phase := touchNever
	if !t.began.IsZero() {
		t.next.Store(int64(time.Since(t.began) + retouch))
		phase = touchPieces
	}
	t.phase.Store(phase)
	t.to.Touch(t.entry, t.port, t.path)
}

func isOwnAddress(e *lifecycle.Entry, peer netip.Addr) bool {
	return peer.IsValid() && e.Address.IsValid() && e.Address.Unmap() == peer
}
