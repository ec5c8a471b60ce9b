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

// probation is how long a client with a failure is no newcomer.
const probation = 24 * time.Hour

// The most clients and sandboxes that are remembered, each with at least one failure.
// Beyond, those that have been quiet the longest are forgotten.
const (
	maxClients   = 1 << 14
	maxSandboxes = 1 << 16
)

// Limiter decides whether the outcome of checking a signature may be told. It is safe for
// concurrent use; signatures that were right before take no lock.
type Limiter struct {
	known known

	mu        sync.Mutex
	clients   table[netip.Prefix, budget]
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
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok, after := l.permit(now, prefix, r.SandboxID); !ok {
		return false, after
	}
	if outcome == sign.Valid {
		l.known.add(mark)
		return true, 0
	}
	l.clients.touch(prefix).spend(now, clientBudget)
	l.sandboxes.touch(r.SandboxID).spend(now, sandboxBudget)
	return true, 0
}

// permit tells whether a signature of unknown worth may be checked now.
func (l *Limiter) permit(now time.Time, client netip.Prefix, sandbox string) (ok bool, after time.Duration) {
	failures, failed := l.clients.get(client)
	guessed, wasGuessed := l.sandboxes.get(sandbox)
	if !(failed && failures.overdrawn(now, clientBudget)) && !(wasGuessed && guessed.overdrawn(now, sandboxBudget)) {
		return true, 0
	}
	newcomer := !failed || now.Sub(failures.last) > probation
	return l.sandboxes.touch(sandbox).turns.take(now, client, newcomer)
}
