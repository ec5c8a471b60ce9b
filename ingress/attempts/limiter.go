package attempts

import (
	"net/netip"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/sign"
)

// Failures per hour. One client has few enough that many have to work together, and a
// sandbox few enough that all of them together would take a century and more.
const (
	clientBudget  = 100
	sandboxBudget = 1000
)

// probation is how long nobody of a network with a failure is a newcomer. A turn that was
// asked for and not used is a failure too: else whoever has many addresses would take all
// turns and never fail.
const probation = 24 * time.Hour

// The most clients, networks and sandboxes that are remembered, each with at least one failure.
// Beyond, those that have been quiet the longest are forgotten.
const (
	maxClients   = 1 << 14
	maxNetworks  = 1 << 14
	maxSandboxes = 1 << 16
)

// Limiter decides whether the outcome of checking a signature may be told. It is safe for
// concurrent use; signatures that were right before take no lock.
type Limiter struct {
	known known

	mu        sync.Mutex
	clients   table[netip.Prefix, budget]
	networks  table[netip.Prefix, time.Time] // their last failures
	sandboxes table[string, target]
}

// target is a sandbox that signatures were guessed for.
type target struct {
	budget
	turns turns
}

// New makes a Limiter.
func New() *Limiter {
	return &Limiter{
		known:     newKnown(),
		clients:   newTable[netip.Prefix, budget](maxClients),
		networks:  newTable[netip.Prefix, time.Time](maxNetworks),
		sandboxes: newTable[string, target](maxSandboxes),
	}
}

// Tell says whether the client may be told that its signature is right, or wrong; if not,
// after how long it may ask again. Only sign.Valid and sign.Mismatch are worth asking
// about: every other outcome is found out without the key.
func (l *Limiter) Tell(now time.Time, client netip.Addr, r sign.Route, signature string, outcome sign.Outcome) (ok bool, after time.Duration) {
	mark := l.known.mark(r, signature)
	if outcome == sign.Valid && l.known.has(mark) {
		return true, 0
	}
	prefix := forwarded.ClientPrefix(client)
	network := networkOf(prefix)
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok, after := l.permit(now, prefix, network, r.SandboxID); !ok {
		return false, after
	}
	if outcome == sign.Valid {
		l.known.add(mark)
		return true, 0
	}
	l.clients.touch(prefix).spend(now, clientBudget)
	*l.networks.touch(network) = now
	l.sandboxes.touch(r.SandboxID).spend(now, sandboxBudget)
	return true, 0
}

// permit tells whether a signature of unknown worth may be checked now.
func (l *Limiter) permit(now time.Time, client, network netip.Prefix, sandbox string) (ok bool, after time.Duration) {
	failures, failed := l.clients.get(client)
	guessed, wasGuessed := l.sandboxes.get(sandbox)
	if !(failed && failures.overdrawn(now, clientBudget)) && !(wasGuessed && guessed.overdrawn(now, sandboxBudget)) {
		return true, 0
	}
	turns := &l.sandboxes.touch(sandbox).turns
	turns.sweep(now, func(missed netip.Prefix) { *l.networks.touch(missed) = now })
	last, failed := l.networks.get(network)
	newcomer := !failed || now.Sub(*last) > probation
	return turns.take(now, network, newcomer)
}

// networkOf widens a client's prefix to what one customer of a network operator has at
// most, as a rule: an IPv4 /24 or an IPv6 /48. Its clients share their turns.
func networkOf(client netip.Prefix) netip.Prefix {
	bits := 24
	if client.Addr().Is6() {
		bits = 48
	}
	network, _ := client.Addr().Prefix(bits) // the zero Prefix for no address
	return network
}
