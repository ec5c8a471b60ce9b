package ingress

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// attention is how long a client over HTTP/1 may stay unread before somebody looks whether
// it is still there. A variable for tests alone.
var attention = time.Second

// vigil looks after a client over HTTP/1 from whom nobody reads because the sandbox takes
// nothing: only a read would show that the client is gone, and its place in the sandbox's
// budget would stay taken (threat row X1). HTTP/2 and HTTP/3 tell by themselves.
//
// It costs a timer while bytes flow and nothing while a read waits.
type vigil struct {
	client net.Conn // nil = nobody to look after
	left   func()   // called when it has gone, perhaps more than once; must not block

	reads atomic.Uint64 // begins and ends of reads: odd while one is under way
	armed atomic.Bool

	mu     sync.Mutex
	timer  *time.Timer
	seen   uint64        // reads at the last look
	unread time.Duration // since then nothing has changed
	over   bool
}

// begin says that a read begins; end must follow.
func (v *vigil) begin() {
	if v.client != nil {
		v.reads.Add(1)
	}
}

func (v *vigil) end() {
	if v.client == nil {
		return
	}
	v.reads.Add(1)
	if !v.armed.Load() && !v.armed.Swap(true) {
		v.arm()
	}
}

func (v *vigil) arm() {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.over:
	case v.timer == nil:
		v.timer = time.AfterFunc(attention, v.look)
	default:
		v.timer.Reset(attention)
	}
}

func (v *vigil) look() {
	v.armed.Store(false)
	reads := v.reads.Load()
	if reads%2 == 1 {
		return // who reads sees the end, and arms again
	}
	v.armed.Store(true)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return
	}
	if reads != v.seen {
		v.seen, v.unread = reads, 0
	} else if v.unread += attention; hasLeft(v.client, v.unread >= halfClosed) {
		v.left()
		return
	}
	v.timer.Reset(attention)
}

// stop ends the vigil; left is not called any more.
func (v *vigil) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	if v.timer != nil {
		v.timer.Stop()
	}
}

// clientConn is the connection that the request came over, nil if it is not known.
func (x *exchange) clientConn() net.Conn {
	if known, ok := x.w.(interface{ NetConn() net.Conn }); ok {
		return known.NetConn()
	}
	if x.Connection != nil {
		return x.Connection(x.r)
	}
	return nil
}
