package upstream

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// pool holds the connections of one generation of one sandbox, for all its ports.
type pool struct {
	owner *Pools
	entry *lifecycle.Entry
	ctx   context.Context // ends with the generation, or with the owner
	execd netip.AddrPort  // address of execd, invalid if unknown

	mu      sync.Mutex
	conns   map[tracked]struct{}       // all, idle and busy
	idle    map[netip.AddrPort][]*conn // of the direct core; the last one is used first
	idling  int                        // length of all lists in idle
	sweeps  int                        // rounds of sweep, the clock of idle connections
	sweeper *time.Timer                // nil while nothing is idle
	over    bool
	senders sync.WaitGroup // goroutines that send bodies

	transport func() *transport // of the nethttp core, made when it is used
}

// tracked is a connection that its pool can cut.
type tracked interface {
	// cut closes the connection and tells whoever uses it.
	cut()
}

func newPool(owner *Pools, e *lifecycle.Entry, ctx context.Context) *pool {
	p := &pool{
		owner: owner, entry: e, ctx: ctx,
		conns: make(map[tracked]struct{}), idle: make(map[netip.AddrPort][]*conn),
	}
	if addr, ok := e.Dial(wire.PortExecd); ok {
		p.execd = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	}
	p.transport = sync.OnceValue(func() *transport { return newTransport(p) })
	return p
}

// add takes a connection in, unless the generation is over.
func (p *pool) add(c tracked) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return p.cause()
	}
	p.conns[c] = struct{}{}
	return nil
}

// end cuts all connections, idle and busy.
func (p *pool) end() {
	p.mu.Lock()
	p.over = true
	conns := p.conns
	p.conns = nil
	p.idle = nil
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
	p.mu.Unlock()
	for c := range conns {
		c.cut()
	}
	p.senders.Wait()
}

// ended is err when the end of the pool is what caused it.
func (p *pool) ended(err error) error {
	var unsent *DialError
	if errors.As(err, &unsent) {
		return &DialError{p.cause()}
	}
	return p.cause()
}

func (p *pool) cause() error {
	if err := p.entry.Ended(); err != nil {
		return err
	}
	return ErrClosed
}

// take returns the connection to addr that rested least, nil if there is none. peer is
// told from now on when the connection is cut.
func (p *pool) take(addr netip.AddrPort, peer Peer) *conn {
	for {
		p.mu.Lock()
		list := p.idle[addr]
		if len(list) == 0 {
			p.mu.Unlock()
			return nil
		}
		c := list[len(list)-1]
		list[len(list)-1] = nil
		p.idle[addr] = list[:len(list)-1]
		p.idling--
		c.peer = peer
		p.mu.Unlock()
		if c.quiet() {
			return c
		}
		c.discard()
	}
}

// put takes back a connection on which all is well.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	c.peer = nil
	list := p.idle[c.addr]
	if p.over || len(list) >= maxIdlePerPort || p.idling >= maxIdle {
		p.mu.Unlock()
		c.discard()
		return
	}
	c.rested = p.sweeps
	p.idle[c.addr] = append(list, c)
	p.idling++
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(idleTimeout/2, p.sweep)
	}
	p.mu.Unlock()
}

// sweep closes what was idle for two rounds, or was closed by the sandbox meanwhile.
func (p *pool) sweep() {
	var unused []*conn
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return
	}
	p.sweeps++
	for addr, list := range p.idle {
		kept := list[:0]
		for _, c := range list {
			if p.sweeps-c.rested >= 2 || !c.quiet() {
				unused = append(unused, c)
			} else {
				kept = append(kept, c)
			}
		}
		clear(list[len(kept):])
		if p.idle[addr] = kept; len(kept) == 0 {
			delete(p.idle, addr)
		}
	}
	p.idling -= len(unused)
	p.sweeper = nil
	if p.idling > 0 {
		p.sweeper = time.AfterFunc(idleTimeout/2, p.sweep)
	}
	p.mu.Unlock()
	for _, c := range unused {
		c.discard()
	}
}
