package backoff_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/backoff"
)

func TestPausesDoubleUpToTheMost(t *testing.T) {
	b := backoff.Backoff{First: time.Second, Most: 5 * time.Second}
	for range 2 {
		for _, want := range []time.Duration{1, 2, 4, 5, 5} {
			require.Equal(t, want*time.Second, b.Next())
		}
		b.Reset()
	}
}

func TestSpreadStaysInTheUpperHalf(t *testing.T) {
	b := backoff.Backoff{First: time.Second, Most: time.Second, Spread: true}
	seen := map[time.Duration]bool{}
	for range 100 {
		pause := b.Next()
		require.GreaterOrEqual(t, pause, time.Second/2)
		require.Less(t, pause, time.Second)
		seen[pause] = true
	}
	require.Greater(t, len(seen), 1)
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backoff.Backoff{First: time.Minute, Most: time.Hour}
		began := time.Now()
		require.NoError(t, b.Wait(t.Context()))
		require.NoError(t, b.Wait(t.Context()))
		require.Equal(t, 3*time.Minute, time.Since(began))

		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		require.ErrorIs(t, b.Wait(ctx), cause)
		require.Equal(t, 3*time.Minute+time.Second, time.Since(began), "the end is not waited for")
		require.ErrorIs(t, b.Wait(ctx), cause)
	})
}
