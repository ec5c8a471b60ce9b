package idempotency

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// What is remembered of finished requests: for how long, and of how many at most.
const (
	Retention  = 24 * time.Hour
	MaxEntries = 16384
)

// ErrReused says that a key came with another request before.
var ErrReused = errors.New("the key was used for another request")

// Sum is a keyed hash of a key or of a request's content.
type Sum = [32]byte

// Entry is one use of a key.
type Entry struct {
	Key     Sum
	Content Sum
	Result  string    // the id of what the request made
	At      time.Time // when it began or, once done, was done; UTC, microseconds
	Done    bool      // the request succeeded; before that it may have made nothing
}

// Store keeps entries across restarts.
type Store interface {
	// PutKey inserts or replaces an entry, durably.
	PutKey(ctx context.Context, e Entry) error
	// DeleteKeys removes entries; absent ones are success.
	DeleteKeys(ctx context.Context, keys ...Sum) error
	// Keys returns all entries, the oldest first.
	Keys(ctx context.Context) ([]Entry, error)
}

// Memory is a Store that keeps nothing: keys are known as long as the process lives.
type Memory struct{}

// PutKey implements Store.
func (Memory) PutKey(context.Context, Entry) error { return nil }

// DeleteKeys implements Store.
func (Memory) DeleteKeys(context.Context, ...Sum) error { return nil }

// Keys implements Store.
func (Memory) Keys(context.Context) ([]Entry, error) { return nil, nil }

// Ledger knows the uses of keys. It is safe for concurrent use.
type Ledger struct {
	store Store
	now   func() time.Time
	most  int

	mu   sync.Mutex
	uses map[Sum]*use
	done []Entry // those of uses that are done, the oldest first
}

// use is a request that is under way or done.
type use struct {
	entry Entry
	over  chan struct{} // closed when the request has ended
}

// New makes an empty ledger. now tells the time.
func New(s Store, now func() time.Time) *Ledger {
	return &Ledger{store: s, now: now, most: MaxEntries, uses: map[Sum]*use{}}
}

// Load reads what an earlier process knew. A request that it did not finish counts if
// what it was to make exists.
func (l *Ledger) Load(ctx context.Context, exists func(result string) bool) error {
	entries, err := l.store.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read the idempotency keys: %w", err)
	}
	l.mu.Lock()
	var void []Sum
	for _, e := range entries {
		if !e.Done && !exists(e.Result) {
			void = append(void, e.Key)
			continue
		}
		e.Done = true
		over := make(chan struct{})
		close(over)
		l.uses[e.Key] = &use{entry: e, over: over}
		l.done = append(l.done, e)
	}
	void = append(void, l.trim()...)
	l.mu.Unlock()
	return l.store.DeleteKeys(ctx, void...)
}

// Enter asks whether a request may be carried out. Exactly one of the results is set:
// a Turn, which has to be ended; the result of the same request, done before; or an
// error, which is ErrReused or ctx's cause. While the same request is under way it waits.
func (l *Ledger) Enter(ctx context.Context, key, content Sum) (*Turn, string, error) {
	for {
		l.mu.Lock()
		void := l.trim()
		u, known := l.uses[key]
		if !known {
			u = &use{entry: Entry{Key: key, Content: content, At: l.stamp()}, over: make(chan struct{})}
			l.uses[key] = u
		}
		e := u.entry
		l.mu.Unlock()
		if len(void) > 0 {
			// Old entries that stay in the store cost room and are dropped at the next start.
			_ = l.store.DeleteKeys(ctx, void...)
		}
		switch {
		case !known:
			return &Turn{ledger: l, use: u}, "", nil
		case e.Content != content:
			return nil, "", ErrReused
		case e.Done:
			return nil, e.Result, nil
		}
		select {
		case <-u.over:
		case <-ctx.Done():
			return nil, "", context.Cause(ctx)
		}
	}
}

// trim forgets what is too old or too much, and returns its keys. mu is held.
func (l *Ledger) trim() (void []Sum) {
	oldest := l.now().Add(-Retention)
	for len(l.done) > 0 && (len(l.done) > l.most || !l.done[0].At.After(oldest)) {
		void = append(void, l.done[0].Key)
		delete(l.uses, l.done[0].Key)
		l.done = l.done[1:]
	}
	return void
}

func (l *Ledger) stamp() time.Time { return l.now().UTC().Truncate(time.Microsecond) }

// Len is the number of keys known.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.uses)
}
