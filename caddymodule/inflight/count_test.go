package inflight

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCountWaitsForTheLast(t *testing.T) {
	var f Count
	require.NoError(t, f.Wait(t.Context()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	f.Enter()
	require.ErrorIs(t, f.Wait(ended), context.Canceled)
	f.Leave()
	require.NoError(t, f.Wait(ended), "nothing under way needs no time")

	for range 200 {
		var work sync.WaitGroup
		for range 4 {
			f.Enter()
			work.Go(f.Leave)
		}
		require.NoError(t, f.Wait(t.Context()))
		require.Zero(t, f.count.Load())
		work.Wait()
	}
}

func BenchmarkCount(b *testing.B) {
	var f Count
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f.Enter()
			f.Leave()
		}
	})
}
