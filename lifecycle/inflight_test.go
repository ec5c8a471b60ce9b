package lifecycle_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestInFlightStopsAtTheLimitInForce(t *testing.T) {
	var f lifecycle.InFlight
	require.True(t, f.Enter(2))
	require.True(t, f.Enter(2))
	require.False(t, f.Enter(2))
	require.True(t, f.Enter(3), "a raised limit counts at once")
	require.True(t, f.Enter(0), "0 = no limit")
	require.Equal(t, 4, f.Len())
	f.Leave()
	require.False(t, f.Enter(3), "what entered under a higher limit still counts")
}

func TestNoMoreThanTheLimitIsEverInFlight(t *testing.T) {
	var (
		f               lifecycle.InFlight
		wg              sync.WaitGroup
		inside, entered atomic.Int64
		over            atomic.Bool
	)
	const limit = 3
	for range 16 {
		wg.Go(func() {
			for range 2000 {
				if !f.Enter(limit) {
					continue
				}
				entered.Add(1)
				if inside.Add(1) > limit {
					over.Store(true)
				}
				inside.Add(-1)
				f.Leave()
			}
		})
	}
	wg.Wait()
	require.False(t, over.Load())
	require.Positive(t, entered.Load())
	require.Zero(t, f.Len())
}
