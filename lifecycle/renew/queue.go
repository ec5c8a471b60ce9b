package renew

import (
	"sync"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// access is one that is to be acted on.
type access struct {
	entry  *lifecycle.Entry
	source Source
}

// queue is a bounded list of accesses, one per sandbox. It is only reached past the
// throttle, so its lock is no matter for the hot path.
type queue struct {
	items chan access

	mu      sync.Mutex
	waiting map[string]struct{}
	closed  bool
}

func newQueue(size int) *queue {
	return &queue{items: make(chan access, size), waiting: make(map[string]struct{})}
}

// push adds an access; the result is queued when it waits now, or why it does not.
func (q *queue) push(a access) outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return closed
	}
	if _, waits := q.waiting[a.entry.ID]; waits {
		return duplicate
	}
	select {
	case q.items <- a:
		q.waiting[a.entry.ID] = struct{}{}
		return queued
	default:
		return queueFull
	}
}

// taken is to be called for every access received from items.
func (q *queue) taken(a access) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, a.entry.ID)
}

// close refuses what is pushed from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
