package listener

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opensandbox-edge/edge/caddymodule/inflight"
	"github.com/opensandbox-edge/edge/ingress/forwarded"
)

// Limits bound the connections of this network (threat row X1).
type Limits struct {
	// Total is how many may be open at once; 0 = as many as the process may have open
	// files for, two for each connection and some to spare.
	Total int
	// PerClient is how many one client may have open, an IPv4 address or an IPv6 /64;
	// 0 = no limit.
	PerClient int
	// Exempt tells clients without a limit of their own, such as proxies; nil = nobody.
	Exempt func(netip.Addr) bool
}

const (
	// spareFiles is what the process needs files for beside connections.
	spareFiles = 256
	// leastTotal is what a limit derived from open files is at least.
	leastTotal = 64
	// mostReserve caps the part of the connections, an eighth, that is kept for the API.
	mostReserve = 512
	// shedPause is how long a search for connections to shed is not repeated in vain.
	shedPause = 100 * time.Millisecond
)

// bounds are Limits in force.
type bounds struct {
	Limits
	reserve int
}

func (l Limits) bounds() *bounds {
	if l.Total <= 0 {
		l.Total = max((openFiles()-spareFiles)/2, leastTotal)
	}
	return &bounds{Limits: l, reserve: min(max(l.Total/8, 1), mostReserve)}
}

// SetLimits puts limits into force. Connections that are open stay so.
func SetLimits(l Limits) { open.bounds.Store(l.bounds()) }

// connections are the open connections of this network.
type connections struct {
	inflight.Count
	size    atomic.Int64
	bounds  atomic.Pointer[bounds] // nil = none
	refused [reasons]atomic.Uint64
	shed    atomic.Uint64

	mu      sync.Mutex
	all     map[*trackedConn]struct{}
	clients map[netip.Addr]int
	vain    time.Time // of the last search for connections to shed that found none
}

var open = &connections{all: map[*trackedConn]struct{}{}, clients: map[netip.Addr]int{}}

// Why a connection was refused.
const (
	overClient = iota // the client has Limits.PerClient connections
	overTotal         // there are Limits.Total connections
	reasons
)

// admit takes a connection in, or closes it and returns nil. A refused client is sent
// nothing: over TLS it would be no answer, and writing it would cost more than the
// refusal saves.
func (o *connections) admit(tcp *net.TCPConn, origin *socket) *trackedConn {
	c := &trackedConn{TCPConn: tcp, origin: origin, client: clientOf(tcp.RemoteAddr())}
	o.relieve()
	if reason, ok := o.enter(c); !ok {
		o.refused[reason].Add(1)
		_ = tcp.SetLinger(0) // no TIME_WAIT for those
		_ = tcp.Close()
		return nil
	}
	boundStall(tcp)
	return c
}

func (o *connections) enter(c *trackedConn) (reason int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.bounds.Load(); b != nil {
		switch {
		case b.PerClient > 0 && o.clients[c.client] >= b.PerClient && (b.Exempt == nil || !b.Exempt(c.client)):
			return overClient, false
		case len(o.all) >= b.Total:
			return overTotal, false
		}
		c.reserved = len(o.all) >= b.Total-b.reserve
	}
	o.all[c] = struct{}{}
	o.clients[c.client]++
	o.size.Add(1)
	o.Enter()
	return 0, true
}

func (o *connections) leave(c *trackedConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, c)
	if o.clients[c.client]--; o.clients[c.client] <= 0 {
		delete(o.clients, c.client)
	}
	o.size.Add(-1)
	o.Leave()
}

// replace counts one connection in place of another.
func (o *connections) replace(c, by *trackedConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.all, c)
	o.all[by] = struct{}{}
}

// relieve closes the connections that have waited longest for a request, once only the
// reserve is left. Unfinished heads and TLS handshakes are waits, too.
func (o *connections) relieve() {
	b := o.bounds.Load()
	if b == nil || o.size.Load() < int64(b.Total-b.reserve) {
		return
	}
	for _, c := range o.resting(max(b.reserve/4, 1)) {
		o.shed.Add(1)
		_ = c.end()
	}
}

// resting returns the connections that have waited longest, at most n.
func (o *connections) resting(n int) []*trackedConn {
	type waiting struct {
		since int64
		conn  *trackedConn
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.vain) < shedPause {
		return nil
	}
	var found []waiting
	for c := range o.all {
		if since := c.resting.Load(); since != 0 {
			found = append(found, waiting{since, c})
		}
	}
	if len(found) == 0 {
		o.vain = time.Now()
		return nil
	}
	slices.SortFunc(found, func(a, b waiting) int { return cmp.Compare(a.since, b.since) })
	oldest := make([]*trackedConn, 0, n)
	for _, w := range found[:min(n, len(found))] {
		oldest = append(oldest, w.conn)
	}
	return oldest
}

// scarce tells whether only the reserve is left.
func (o *connections) scarce() bool {
	b := o.bounds.Load()
	return b != nil && o.size.Load() > int64(b.Total-b.reserve)
}

// clientOf is what connections are counted by: forwarded.ClientPrefix.
func clientOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return forwarded.ClientPrefix(tcp.AddrPort().Addr()).Addr()
}
