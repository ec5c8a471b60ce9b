package lifecycle

import (
	"context"
	"sync"
)

// queue is a bounded list of ids without duplicates.
type queue struct {
	mu      sync.Mutex
	waiting map[string]struct{}
	ids     chan string
}

func newQueue(size int) *queue {
	return &queue{waiting: make(map[string]struct{}), ids: make(chan string, size)}
}

// push adds an id that is not waiting already; when there is no room it calls full.
func (q *queue) push(id string, full func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, queued := q.waiting[id]; queued {
		return
	}
	select {
	case q.ids <- id:
		q.waiting[id] = struct{}{}
	default:
		full()
	}
}

// pop waits for an id; false when ctx has ended.
func (q *queue) pop(ctx context.Context) (string, bool) {
	select {
	case id := <-q.ids:
		q.mu.Lock()
		delete(q.waiting, id)
		q.mu.Unlock()
		return id, true
	case <-ctx.Done():
		return "", false
	}
}
