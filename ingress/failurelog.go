package ingress

import (
	"sync"
	"time"
)

// Bounds of what one sandbox can write into the log by failing.
const (
	failurePause    = time.Second
	maxFailureStats = 4096
)

// failureLog lets through one failure per sandbox and second: whoever owns a sandbox
// could otherwise fill the log at the rate of requests.
type failureLog struct {
	mu   sync.Mutex
	seen map[string]*failureStat
}

type failureStat struct {
	logged     time.Time
	suppressed int
}

// allow tells whether a failure of the sandbox may be logged, and how many were not since
// the last one that was.
func (l *failureLog) allow(id string, now time.Time) (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stat := l.seen[id]
	if stat == nil {
		l.makeRoom(now)
		l.seen[id] = &failureStat{logged: now}
		return 0, true
	}
	if now.Sub(stat.logged) < failurePause {
		stat.suppressed++
		return 0, false
	}
	suppressed = stat.suppressed
	*stat = failureStat{logged: now}
	return suppressed, true
}

// makeRoom forgets the sandboxes that have been quiet; l.mu is held.
func (l *failureLog) makeRoom(now time.Time) {
	if l.seen == nil {
		l.seen = make(map[string]*failureStat)
	}
	if len(l.seen) < maxFailureStats {
		return
	}
	for id, stat := range l.seen {
		if now.Sub(stat.logged) >= failurePause {
			delete(l.seen, id)
		}
	}
	if len(l.seen) >= maxFailureStats {
		clear(l.seen) // thousands fail at once: a few lines too many tell it as well
	}
}
