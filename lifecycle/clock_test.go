package lifecycle_test

import (
	"slices"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers []*fakeTimer
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 11, 23, 8, 20, 36, 459446123, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// advance moves the clock, also back. Timers go by what passes, as monotonic ones do:
// a step back lets none of them wait longer.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.elapse(max(d, 0))
}

// step moves the wall clock without time passing.
func (c *fakeClock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// pass lets time pass for timers without the wall clock noticing.
func (c *fakeClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.elapse(d)
}

func (c *fakeClock) elapse(d time.Duration) {
	c.timers = slices.DeleteFunc(c.timers, func(t *fakeTimer) bool {
		t.left -= d
		if t.left <= 0 {
			t.c <- c.now
		}
		return t.left <= 0
	})
}

func (c *fakeClock) NewTimer(d time.Duration) lifecycle.Timer {
	t := &fakeTimer{clock: c, left: d, c: make(chan time.Time, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d <= 0 {
		t.c <- c.now
	} else {
		c.timers = append(c.timers, t)
	}
	return t
}

type fakeTimer struct {
	clock *fakeClock
	left  time.Duration
	c     chan time.Time
}

func (t *fakeTimer) C() <-chan time.Time { return t.c }

func (t *fakeTimer) Stop() {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.clock.timers = slices.DeleteFunc(t.clock.timers, func(o *fakeTimer) bool { return o == t })
}
