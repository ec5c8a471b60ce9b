package lifecycle

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one sandbox on the hot path: immutable but for the touch time. A change
// of state or address puts a new Entry in its place; an Entry whose backend may be
// somebody else's by now has a cancelled context.
type Entry struct {
	ID    string
	State State
	// Generation changes whenever the address behind the id may have changed.
	// Upstream connections are pooled per generation.
	Generation uint64
	Address    netip.Addr
	Published  map[uint16]netip.AddrPort
	// ExecdTokenSum is SHA-256 of the execd token; nil = this sandbox has none.
	ExecdTokenSum *[32]byte
	// RenewExtend is 0 unless the sandbox opted into renewal by access.
	RenewExtend time.Duration

	// LastTouch is the throttle of lifecycle/renew, in Unix nanoseconds. It is shared by
	// all entries of one id.
	LastTouch *atomic.Int64

	// Ctx ends with the generation: when the sandbox is deleted, paused, stopped or
	// replaced. Upstream connections and streams are cut then.
	Ctx    context.Context
	cancel context.CancelCauseFunc
}

// Dial returns the address for a port of the sandbox; ok is false when the runtime
// reported none, which includes loopback, link-local and other addresses a route may
// never reach (design §12.3).
func (e *Entry) Dial(port uint16) (addr netip.AddrPort, ok bool) {
	if p, published := e.Published[port]; published {
		return p, true
	}
	if !e.Address.IsValid() {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(e.Address, port), true
}

// Directory answers the hot path: id → Entry. Readers never block writers.
// The zero value is ready to use.
type Directory struct {
	entries    sync.Map // string → *Entry
	size       atomic.Int64
	generation atomic.Uint64
}

// Lookup finds the entry of an id, in memory.
func (d *Directory) Lookup(id string) (*Entry, bool) {
	v, ok := d.entries.Load(id)
	if !ok {
		return nil, false
	}
	return v.(*Entry), true
}
