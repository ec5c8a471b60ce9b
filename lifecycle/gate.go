package lifecycle

import (
	"context"
	"sync"
)

// gate lets callers' work in while it is open, and waits for it on closing.
type gate struct {
	mu     sync.Mutex
	opened bool
	inside sync.WaitGroup
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = true
}

// enter returns false while the gate is not open. After true, leave must be called.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened {
		g.inside.Add(1)
	}
	return g.opened
}

func (g *gate) leave() { g.inside.Done() }

func (g *gate) isOpen() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.opened
}

// close refuses newcomers and waits until all are out.
func (g *gate) close() {
	g.mu.Lock()
	g.opened = false
	g.mu.Unlock()
	g.inside.Wait()
}

// slots bounds how much runs at once.
type slots struct{ free chan struct{} }

func newSlots(n int) *slots { return &slots{free: make(chan struct{}, n)} }

func (s *slots) acquire(ctx context.Context) error {
	select {
	case s.free <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *slots) release() { <-s.free }

// tally counts who is inside, by name. Names without anybody inside take no room.
type tally struct {
	mu     sync.Mutex
	inside map[string]int
}

// enter counts one more of a name, unless there are most already.
func (t *tally) enter(name string, most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inside[name] >= most {
		return false
	}
	if t.inside == nil {
		t.inside = make(map[string]int)
	}
	t.inside[name]++
	return true
}

// leave undoes one enter that returned true.
func (t *tally) leave(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inside[name]--; t.inside[name] <= 0 {
		delete(t.inside, name)
	}
}
