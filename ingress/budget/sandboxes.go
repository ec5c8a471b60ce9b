package budget

import (
	"sync"
	"sync/atomic"
)

// Sandboxes counts what is under way, by sandbox id. It outlives configurations and the
// generations of a sandbox. The zero value is ready to use and safe for concurrent use;
// requests to different sandboxes share no lock.
type Sandboxes struct {
	counts sync.Map // id → *count
	size   atomic.Int64
	limit  atomic.Int64 // of size, before counts of nothing are swept out
}

// count is how much is under way; dead means that it is no longer in the map.
type count struct{ atomic.Int64 }

const (
	dead = -1
	// keptCounts is how many counts may stay in memory before those of nothing go.
	keptCounts = 1024
)

// Enter counts one more exchange with a sandbox, unless limit of them are under way
// (0 = no limit). After true, Leave of the place is to be called once.
func (s *Sandboxes) Enter(id string, limit int) (place Place, ok bool) {
	for {
		v, there := s.counts.Load(id)
		if !there {
			v, there = s.counts.LoadOrStore(id, new(count))
			if !there && s.size.Add(1) > max(s.limit.Load(), keptCounts) {
				s.sweep()
			}
		}
		c := v.(*count)
		for n := c.Load(); n != dead; n = c.Load() {
			if limit > 0 && n >= int64(limit) {
				return Place{}, false
			}
			if c.CompareAndSwap(n, n+1) {
				return Place{c}, true
			}
		}
	}
}

// Place is what one exchange takes of its sandbox's share.
type Place struct{ of *count }

// Leave gives the place back.
func (p Place) Leave() { p.of.Add(-1) }

// InFlight is how much is under way with one sandbox.
func (s *Sandboxes) InFlight(id string) int {
	v, there := s.counts.Load(id)
	if !there {
		return 0
	}
	return int(max(v.(*count).Load(), 0))
}

// sweep forgets the sandboxes with which nothing is under way. Only when as many more
// have come as are left is it worth another look.
func (s *Sandboxes) sweep() {
	s.counts.Range(func(id, v any) bool {
		if v.(*count).CompareAndSwap(0, dead) {
			s.counts.Delete(id)
			s.size.Add(-1)
		}
		return true
	})
	s.limit.Store(2 * s.size.Load())
}
