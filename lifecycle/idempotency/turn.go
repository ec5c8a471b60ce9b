package idempotency

import "context"

// Turn is the right to carry out a request, for the one caller that got it. A nil Turn
// is that of a request without a key: every method does nothing.
type Turn struct {
	ledger *Ledger
	use    *use
	bound  bool
	ended  bool
}

// Bind notes what the request is going to make, durably. It comes before the effect, so
// that no crash can separate the two.
func (t *Turn) Bind(ctx context.Context, result string) error {
	if t == nil {
		return nil
	}
	t.ledger.mu.Lock()
	t.use.entry.Result = result
	e := t.use.entry
	t.ledger.mu.Unlock()
	t.bound = true
	return t.ledger.store.PutKey(ctx, e)
}

// Keep ends the turn: the request has made what was bound. An error means only that the
// next process may have forgotten it.
func (t *Turn) Keep(ctx context.Context) error {
	if t == nil || t.ended {
		return nil
	}
	t.ended = true
	l := t.ledger
	l.mu.Lock()
	t.use.entry.Done, t.use.entry.At = true, l.stamp()
	e := t.use.entry
	l.done = append(l.done, e)
	close(t.use.over)
	l.mu.Unlock()
	return l.store.PutKey(ctx, e)
}

// Release ends the turn of a request that made nothing: the key is free again. After
// Keep it does nothing.
func (t *Turn) Release(ctx context.Context) error {
	if t == nil || t.ended {
		return nil
	}
	t.ended = true
	var err error
	if t.bound {
		err = t.ledger.store.DeleteKeys(ctx, t.use.entry.Key)
	}
	l := t.ledger
	l.mu.Lock()
	delete(l.uses, t.use.entry.Key)
	close(t.use.over)
	l.mu.Unlock()
	return err
}
