package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle/reach"
)

// The causes with which an Entry's Ctx ends.
var (
	ErrGone       = errors.New("the sandbox is gone")
	ErrNotRunning = errors.New("the sandbox is not running")
	ErrReplaced   = errors.New("the sandbox has another address now")
)

// Entry is one sandbox on the hot path: immutable but for the touch time. A change
// of state or address puts a new Entry in its place; an Entry whose backend may be
// somebody else's by now has a cancelled context.
type Entry struct {
	ID        string
	BackendID string
	State     State
	// Generation changes whenever the address behind the id may have changed.
	// Upstream connections are pooled per generation.
	Generation uint64
	// Address and Published are empty unless State is Running.
	Address   netip.Addr
	Published map[uint16]netip.AddrPort
	// SharesHost says that what is published is on a network that other sandboxes share.
	// Before a connection there is used, ConfirmDaemon has to agree.
	SharesHost bool
	// ExecdTokenSum is SHA-256 of the execd token; nil = this sandbox has none.
	ExecdTokenSum *[32]byte
	// SecureSum is SHA-256 of the access token of a sandbox that demands access
	// verification on every port (contract 04 §6); nil = it does not.
	SecureSum *[32]byte
	// RenewExtend is 0 unless the sandbox expires and opted into renewal by access.
	RenewExtend time.Duration
	// IdleTimeout is how long the sandbox lives without an access; 0 = for ever.
	IdleTimeout time.Duration

	// LastTouch is the throttle of lifecycle/renew, in Unix nanoseconds, and InFlight
	// counts what is under way. All entries of one id share them.
	LastTouch *atomic.Int64
	InFlight  *InFlight

	life *life // of the generation
}

// Ctx ends with the generation: when the sandbox is deleted, paused, stopped or replaced.
// Upstream connections and streams are cut then. That of an entry that is not running
// has ended already.
func (e *Entry) Ctx() context.Context { return e.life.context() }

// Ended is the cause with which Ctx ended, or nil. It is cheap enough for every request.
func (e *Entry) Ended() error { return e.life.ended() }

// Dial returns the address for a port of the sandbox; ok is false when the runtime
// reported none, which includes loopback, link-local and other addresses a route may
// never reach.
func (e *Entry) Dial(port uint16) (addr netip.AddrPort, ok bool) {
	if p, published := e.Published[port]; published {
		return p, true
	}
	if !e.Address.IsValid() || port == 0 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(e.Address, port), true
}

// sameTarget tells whether connections made for o may serve e.
func (e *Entry) sameTarget(o *Entry) bool {
	return e.State == Running && o.State == Running && e.BackendID == o.BackendID &&
		e.Address == o.Address && maps.Equal(e.Published, o.Published) && o.Ended() == nil
}

// Directory answers the hot path: id → Entry. Readers never block writers.
// The zero value is ready to use.
type Directory struct {
	entries    sync.Map // string → *Entry
	size       atomic.Int64
	generation atomic.Uint64
	writing    sync.Mutex // held by writers for a few map operations, never by readers
	audience   audience   // of Await and Follow

	stream atomic.Pointer[stream] // nil without a service behind it
}

// Lookup finds the entry of an id, in memory.
func (d *Directory) Lookup(id string) (*Entry, bool) {
	v, ok := d.entries.Load(id)
	if !ok {
		return nil, false
	}
	return v.(*Entry), true
}

// Len is the number of entries, in any state.
func (d *Directory) Len() int { return int(d.size.Load()) }

// Range calls yield for every entry, in no order, until it returns false.
func (d *Directory) Range(yield func(*Entry) bool) {
	d.entries.Range(func(_, v any) bool { return yield(v.(*Entry)) })
}

// EventAge tells how long ago the backend's event stream was last heard of, and
// whether it is up. Without a stream it reports (0, true).
func (d *Directory) EventAge() (age time.Duration, up bool) {
	s := d.stream.Load()
	if s == nil {
		return 0, true
	}
	return s.age(), s.downFor() == 0
}

// Publish puts e in the place of the entry of the same id. Generation, its life and, unless
// set, LastTouch and InFlight are assigned here. When connections to the previous entry may
// no longer serve e, that entry's Ctx ends.
//
// An id that routes could confuse with a path of the API, or that is no DNS label,
// is refused, as is an address that no route may reach.
func (d *Directory) Publish(e Entry) (*Entry, error) {
	return d.publish(e, func() bool { return true })
}

// errOutdated is returned by publish when the caller's knowledge has been overtaken.
var errOutdated = errors.New("overtaken by a newer event")

// publish is Publish under a condition that is checked while no other writer runs.
func (d *Directory) publish(e Entry, still func() bool) (*Entry, error) {
	if !wire.ValidID(e.ID) {
		return nil, fmt.Errorf("publish %q: not a usable sandbox id", apierror.Clip(e.ID))
	}
	refused := confine(&e)

	d.writing.Lock()
	defer d.writing.Unlock()
	if !still() {
		return nil, errOutdated
	}
	old, exists := d.Lookup(e.ID)
	next := place(e)
	if exists && (e.LastTouch == nil || e.InFlight == nil) {
		next.LastTouch, next.InFlight = old.LastTouch, old.InFlight
	}
	if exists && e.sameTarget(old) {
		next.Generation, next.life = old.Generation, old.life
	} else {
		next.Generation = d.generation.Add(1)
		if e.State != Running {
			next.life.end(ErrNotRunning)
		}
	}
	d.entries.Store(e.ID, next)
	switch {
	case !exists:
		d.size.Add(1)
	case e.State != Running:
		old.life.end(ErrNotRunning)
	case next.Generation != old.Generation:
		old.life.end(ErrReplaced)
	}
	d.announce(e.ID)
	if refused != "" {
		return next, fmt.Errorf("publish %s: address refused: %s", e.ID, refused)
	}
	return next, nil
}

// place copies e and gives it a life, and a usage unless it has one, all of it in one
// object: with very many sandboxes the garbage collector visits so many fewer objects that
// it shows in the cost of a request.
func place(e Entry) *Entry {
	placed := &struct {
		Entry
		life          life
		usage         usage
		execd, secure [32]byte
	}{Entry: e}
	next := &placed.Entry
	next.life = &placed.life
	if e.LastTouch == nil || e.InFlight == nil {
		next.LastTouch, next.InFlight = placed.usage.pointers()
	}
	if e.ExecdTokenSum != nil {
		placed.execd = *e.ExecdTokenSum
		next.ExecdTokenSum = &placed.execd
	}
	if e.SecureSum != nil {
		placed.secure = *e.SecureSum
		next.SecureSum = &placed.secure
	}
	return next
}

// confine takes from e what no route may dial, and says what it took.
func confine(e *Entry) (refused string) {
	var published map[uint16]netip.AddrPort
	if e.State == Running && len(e.Published) > 0 {
		published = make(map[uint16]netip.AddrPort, len(e.Published))
		for port, to := range e.Published {
			if port == 0 || to.Port() == 0 || !reach.Address(to.Addr()) {
				refused = to.String()
				continue
			}
			published[port] = to
		}
	}
	switch {
	case e.State != Running:
		e.Address = netip.Addr{}
	case e.Address.IsValid() && !reach.Sandbox(e.Address):
		refused = e.Address.String()
		e.Address = netip.Addr{}
	}
	e.Published = published
	if len(published) == 0 {
		e.Published = nil
	}
	return refused
}

// cut ends the generation of an id at once, because its address may be somebody
// else's by now. The entry stays, without an address, until it is published again.
func (d *Directory) cut(id string, state State) {
	d.writing.Lock()
	defer d.writing.Unlock()
	old, ok := d.Lookup(id)
	if !ok || old.State != Running {
		return
	}
	e := *old
	e.State, e.Address, e.Published = state, netip.Addr{}, nil
	e.Generation = d.generation.Add(1)
	d.entries.Store(id, &e)
	old.life.end(ErrNotRunning)
	d.announce(id)
}

// resuming shows that a paused sandbox is on its way back, so that requests can wait for it.
func (d *Directory) resuming(id string) {
	d.writing.Lock()
	defer d.writing.Unlock()
	old, ok := d.Lookup(id)
	if !ok || old.State != Paused {
		return
	}
	e := *old
	e.State = Resuming
	d.entries.Store(id, &e)
	d.announce(id)
}

// Remove takes the entry of an id away and ends its Ctx with cause.
func (d *Directory) Remove(id string, cause error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	v, ok := d.entries.LoadAndDelete(id)
	if !ok {
		return
	}
	d.size.Add(-1)
	v.(*Entry).life.end(cause)
	d.announce(id)
}
