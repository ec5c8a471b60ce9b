package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/idempotency"
)

func TestIdempotencyKeysSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.db")
	s := open(t, path)
	at := time.Date(2026, 11, 23, 8, 20, 36, 459446000, time.UTC)
	first := idempotency.Entry{Key: idempotency.Sum{1}, Content: idempotency.Sum{2}, Result: "a", At: at, Done: true}
	second := idempotency.Entry{Key: idempotency.Sum{3}, Content: idempotency.Sum{4}, Result: "b", At: at.Add(time.Second)}
	require.NoError(t, s.PutKey(t.Context(), second))
	require.NoError(t, s.PutKey(t.Context(), first))
	require.NoError(t, s.Close())

	s = open(t, path)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	require.Equal(t, []idempotency.Entry{first, second}, keys, "the oldest first")

	second.Done = true
	require.NoError(t, s.PutKey(t.Context(), second))
	require.NoError(t, s.DeleteKeys(t.Context(), first.Key, idempotency.Sum{9}))
	require.NoError(t, s.DeleteKeys(t.Context()))
	keys, err = s.Keys(t.Context())
	require.NoError(t, err)
	require.Equal(t, []idempotency.Entry{second}, keys)
}
