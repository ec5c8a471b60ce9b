package idempotency_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/lifecycle/idempotency"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table is a Store in memory.
type table struct {
	mu   sync.Mutex
	rows map[idempotency.Sum]idempotency.Entry
}

func (s *table) PutKey(_ context.Context, e idempotency.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rows == nil {
		s.rows = map[idempotency.Sum]idempotency.Entry{}
	}
	s.rows[e.Key] = e
	return nil
}

func (s *table) DeleteKeys(_ context.Context, keys ...idempotency.Sum) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		delete(s.rows, k)
	}
	return nil
}

func (s *table) Keys(context.Context) (all []idempotency.Entry, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.rows {
		all = append(all, e)
	}
	return all, nil
}

var key, content, other = idempotency.Sum{1}, idempotency.Sum{2}, idempotency.Sum{3}

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func fresh() *clock { return &clock{at: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)} }

func first(t *testing.T, l *idempotency.Ledger, key idempotency.Sum) *idempotency.Turn {
	t.Helper()
	turn, made, err := l.Enter(t.Context(), key, content)
	require.NoError(t, err)
	require.Empty(t, made)
	require.NotNil(t, turn)
	return turn
}

func TestOneRequestOfManyIsCarriedOut(t *testing.T) {
	l := idempotency.New(&table{}, fresh().now)
	const n = 50
	var wg sync.WaitGroup
	var turns sync.Map
	for i := range n {
		wg.Go(func() {
			turn, made, err := l.Enter(t.Context(), key, content)
			if err != nil || turn == nil && made != "result" {
				t.Errorf("turn %v, made %q, error %v", turn, made, err)
			}
			if turn != nil {
				turns.Store(i, true)
				if err := errors.Join(turn.Bind(t.Context(), "result"), turn.Keep(t.Context())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	count := 0
	turns.Range(func(any, any) bool { count++; return true })
	require.Equal(t, 1, count)
}

func TestAKeyThatComesWithAnotherRequestIsRefused(t *testing.T) {
	l := idempotency.New(&table{}, fresh().now)
	turn := first(t, l, key)
	_, _, err := l.Enter(t.Context(), key, other)
	require.ErrorIs(t, err, idempotency.ErrReused, "while the first is under way")
	require.NoError(t, turn.Keep(t.Context()))
	_, _, err = l.Enter(t.Context(), key, other)
	require.ErrorIs(t, err, idempotency.ErrReused)
}

func TestAKeyWhoseRequestMadeNothingIsFree(t *testing.T) {
	s := &table{}
	l := idempotency.New(s, fresh().now)
	turn := first(t, l, key)
	require.NoError(t, turn.Bind(t.Context(), "a"))
	next := make(chan *idempotency.Turn)
	go func() {
		turn, _, err := l.Enter(t.Context(), key, content) // waits for the first
		if err != nil {
			t.Error(err)
		}
		next <- turn
	}()
	require.NoError(t, turn.Release(t.Context()))
	second := <-next
	require.NotNil(t, second)
	require.Empty(t, s.rows)
	require.NoError(t, turn.Release(t.Context()), "it ends once")
	require.NoError(t, second.Keep(t.Context()))
}

func TestWhoWaitsCanLeave(t *testing.T) {
	l := idempotency.New(&table{}, fresh().now)
	turn := first(t, l, key)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	_, _, err := l.Enter(ctx, key, content)
	require.ErrorIs(t, err, gone)
	require.NoError(t, turn.Release(t.Context()))
}

func TestARequestWithoutAKey(t *testing.T) {
	var turn *idempotency.Turn
	require.NoError(t, turn.Bind(t.Context(), "a"))
	require.NoError(t, turn.Keep(t.Context()))
	require.NoError(t, turn.Release(t.Context()))
}

func TestKeysAreForgottenAfterTheirTime(t *testing.T) {
	c, s := fresh(), &table{}
	l := idempotency.New(s, c.now)
	turn := first(t, l, key)
	require.NoError(t, turn.Bind(t.Context(), "a"))
	c.advance(time.Hour) // the time counts from the end
	require.NoError(t, turn.Keep(t.Context()))
	c.advance(idempotency.Retention - time.Microsecond)
	_, made, err := l.Enter(t.Context(), key, content)
	require.NoError(t, err)
	require.Equal(t, "a", made)
	c.advance(time.Microsecond)
	require.NoError(t, first(t, l, key).Release(t.Context()))
	require.Empty(t, s.rows)
	require.Zero(t, l.Len())
}

func TestTheOldestKeysMakeRoom(t *testing.T) {
	s := &table{}
	l := idempotency.New(s, fresh().now)
	for i := range idempotency.MaxEntries + 10 {
		turn := first(t, l, idempotency.Sum{1, byte(i), byte(i >> 8)})
		require.NoError(t, turn.Keep(t.Context()))
	}
	require.NoError(t, first(t, l, idempotency.Sum{1, 0, 0}).Release(t.Context()), "the first is forgotten")
	_, made, err := l.Enter(t.Context(), idempotency.Sum{1, 20, 0}, content)
	require.NoError(t, err)
	require.Empty(t, made)
	require.Equal(t, idempotency.MaxEntries, l.Len())
	require.Len(t, s.rows, idempotency.MaxEntries)
}

func TestARestartKnowsTheKeysOfWhatWasMade(t *testing.T) {
	c, s := fresh(), &table{}
	l := idempotency.New(s, c.now)
	keys := map[string]idempotency.Sum{"done": {1}, "made, not noted": {2}, "not made": {3}}
	for name, k := range keys {
		turn := first(t, l, k)
		require.NoError(t, turn.Bind(t.Context(), name))
		if name == "done" {
			require.NoError(t, turn.Keep(t.Context()))
		}
	}
	l = idempotency.New(s, c.now)
	require.NoError(t, l.Load(t.Context(), func(result string) bool { return result == "made, not noted" }))
	for name, k := range keys {
		turn, made, err := l.Enter(t.Context(), k, content)
		require.NoError(t, err)
		if name == "not made" {
			require.NotNil(t, turn, name)
			continue
		}
		require.Equal(t, name, made, "a result that is gone by now is still the key's")
	}
	require.Len(t, s.rows, 2)
}
