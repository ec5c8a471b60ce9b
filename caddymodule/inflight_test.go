package caddymodule

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInflightWaitsForTheLast(t *testing.T) {
	var f inflight
	require.NoError(t, f.wait(t.Context()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	f.enter()
	require.ErrorIs(t, f.wait(ended), context.Canceled)
	f.leave()
	require.NoError(t, f.wait(ended), "nothing under way needs no time")

	for range 200 {
		var work sync.WaitGroup
		for range 4 {
			f.enter()
			work.Go(f.leave)
		}
		require.NoError(t, f.wait(t.Context()))
		require.Zero(t, f.count.Load())
		work.Wait()
	}
}

func BenchmarkInflight(b *testing.B) {
	var f inflight
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f.enter()
			f.leave()
		}
	})
}
