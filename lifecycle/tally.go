package lifecycle

import "sync"

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
