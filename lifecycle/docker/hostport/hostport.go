package hostport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Range is where ports are drawn from, both ends included.
type Range struct{ Min, Max uint16 }

// Default is the range of contract 02 §7.2.
var Default = Range{Min: 40000, Max: 60000}

// Check returns what is wrong with the range.
func (r Range) Check() error {
	if r.Min < 1024 || r.Max < r.Min {
		return fmt.Errorf("port range %d-%d: want two ports from 1024 on, the smaller one first", r.Min, r.Max)
	}
	return nil
}

// String is the form in which an engine takes a range to choose from.
func (r Range) String() string { return fmt.Sprintf("%d-%d", r.Min, r.Max) }

// draws is how many ports are tried before the range counts as exhausted.
const draws = 50

// remembered is how long a port is nobody else's after it was given: until the daemon
// of a sandbox that is being started has surely bound it, or failed to.
const remembered = 2 * time.Minute

// ErrExhausted says that no free port was found.
var ErrExhausted = errors.New("no free port in the range")

// Book keeps the ports of creates in progress apart. The zero value is ready to use.
type Book struct {
	mu    sync.Mutex
	given map[uint16]time.Time // until when
}

// Hold is some ports of one address, kept from other processes until Release.
type Hold struct {
	Address netip.Addr
	Ports   []uint16
	held    []net.Listener
}

// Draw chooses n different ports of address.
func (b *Book) Draw(from Range, address netip.Addr, n int) (*Hold, error) {
	h := &Hold{Address: address}
	for range n {
		if err := b.draw(from, h); err != nil {
			h.Release()
			return nil, err
		}
	}
	return h, nil
}

func (b *Book) draw(from Range, h *Hold) error {
	for range draws {
		port := from.Min + uint16(rand.IntN(int(from.Max-from.Min)+1))
		if !b.give(port, time.Now()) {
			continue
		}
		l, err := net.Listen("tcp", netip.AddrPortFrom(h.Address, port).String())
		switch {
		case err == nil:
			h.held = append(h.held, l)
		case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EAFNOSUPPORT):
			// Not an address of this machine: the engine has to find out.
		default:
			continue
		}
		h.Ports = append(h.Ports, port)
		return nil
	}
	return ErrExhausted
}

// give marks a port as given, unless it is.
func (b *Book) give(port uint16, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.given[port]) {
		return false
	}
	if b.given == nil {
		b.given = make(map[uint16]time.Time)
	}
	for p, until := range b.given {
		if !now.Before(until) {
			delete(b.given, p)
		}
	}
	b.given[port] = now.Add(remembered)
	return true
}

// Release closes the sockets, so that the engine or a daemon can have the ports. The nil
// Hold has none.
func (h *Hold) Release() {
	if h == nil {
		return
	}
	for _, l := range h.held {
		_ = l.Close()
	}
	h.held = nil
}
