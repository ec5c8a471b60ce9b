package lifecycle

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// maxSleep bounds one sleep of the scheduler. Deadlines are wall-clock times and a
// sleep is not: after a step of the clock or a suspended machine a deadline is met
// at most this late.
const maxSleep = 15 * time.Second

// scheduler calls fire when a sandbox's time has come: one goroutine that sleeps to
// the next deadline of a heap. There is at most one deadline per id.
type scheduler struct {
	clock Clock
	slots *slots // bounds how many fire at once
	fire  func(ctx context.Context, id string, due time.Time)

	mu    sync.Mutex
	heap  deadlines
	index map[string]*deadline
	wake  chan struct{} // capacity 1: the first deadline may have changed
}

type deadline struct {
	id  string
	at  time.Time
	pos int
}

func newScheduler(c Clock, s *slots, fire func(context.Context, string, time.Time)) *scheduler {
	return &scheduler{clock: c, slots: s, fire: fire, index: make(map[string]*deadline), wake: make(chan struct{}, 1)}
}

// set arms an id for a time, in the place of the time it was armed for.
func (q *scheduler) set(id string, at time.Time) {
	q.mu.Lock()
	if d, armed := q.index[id]; armed {
		d.at = at
		heap.Fix(&q.heap, d.pos)
	} else {
		d := &deadline{id: id, at: at}
		q.index[id] = d
		heap.Push(&q.heap, d)
	}
	first := q.heap[0].id == id
	q.mu.Unlock()
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

// remove disarms an id.
func (q *scheduler) remove(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d, armed := q.index[id]; armed {
		heap.Remove(&q.heap, d.pos)
		delete(q.index, id)
	}
}

// next takes out the first deadline that has come, or says how long to sleep.
func (q *scheduler) next() (due *deadline, sleep time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.heap) == 0 {
		return nil, maxSleep
	}
	first := q.heap[0]
	if wait := first.at.Sub(q.clock.Now()); wait > 0 {
		return nil, min(wait, maxSleep)
	}
	heap.Pop(&q.heap)
	delete(q.index, first.id)
	return first, 0
}

// run fires deadlines until ctx ends, and waits for what it fired.
func (q *scheduler) run(ctx context.Context) {
	var firing sync.WaitGroup
	defer firing.Wait()
	for ctx.Err() == nil {
		due, sleep := q.next()
		if due == nil {
			timer := q.clock.NewTimer(sleep)
			select {
			case <-timer.C():
			case <-q.wake:
			case <-ctx.Done():
			}
			timer.Stop()
			continue
		}
		if q.slots.acquire(ctx) != nil {
			return
		}
		firing.Go(func() {
			defer q.slots.release()
			q.fire(ctx, due.id, due.at)
		})
	}
}

// deadlines implements heap.Interface.
type deadlines []*deadline

func (h deadlines) Len() int           { return len(h) }
func (h deadlines) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h deadlines) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i, j
}

func (h *deadlines) Push(x any) {
	d := x.(*deadline)
	d.pos = len(*h)
	*h = append(*h, d)
}

func (h *deadlines) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}
