package budget

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOneSandboxTakesNoMoreThanItsShare(t *testing.T) {
	var s Sandboxes
	first, ok := s.Enter("a", 2)
	require.True(t, ok)
	_, ok = s.Enter("a", 2)
	require.True(t, ok)
	_, ok = s.Enter("a", 2)
	require.False(t, ok)
	_, ok = s.Enter("a", 3)
	require.True(t, ok, "a raised limit counts at once")
	_, ok = s.Enter("b", 2)
	require.True(t, ok, "another sandbox has its own share")
	_, ok = s.Enter("a", 0)
	require.True(t, ok, "0 = no limit")
	require.Equal(t, 4, s.InFlight("a"))
	require.Equal(t, 0, s.InFlight("unknown"))
	first.Leave()
	require.Equal(t, 3, s.InFlight("a"))
	_, ok = s.Enter("a", 3)
	require.False(t, ok, "what entered under a higher limit still counts")
}

func TestForgottenSandboxesTakeNoMemory(t *testing.T) {
	var s Sandboxes
	hold, ok := s.Enter("held", 1)
	require.True(t, ok)
	for i := range 10 * keptCounts {
		place, ok := s.Enter(strconv.Itoa(i), 1)
		require.True(t, ok)
		place.Leave()
	}
	kept := 0
	s.counts.Range(func(any, any) bool { kept++; return true })
	require.LessOrEqual(t, kept, keptCounts+1)
	require.EqualValues(t, kept, s.size.Load())
	_, ok = s.Enter("held", 1)
	require.False(t, ok, "what is under way is never forgotten")
	hold.Leave()
	_, ok = s.Enter("held", 1)
	require.True(t, ok)
}

func TestNoMoreThanTheLimitEverAtTheSameTime(t *testing.T) {
	var (
		s       Sandboxes
		wg      sync.WaitGroup
		inside  [4]atomic.Int64
		entered atomic.Int64
		over    atomic.Bool
	)
	const limit = 3
	for range 16 {
		wg.Go(func() {
			for i := range 2000 {
				one := i % len(inside)
				if place, ok := s.Enter(strconv.Itoa(one), limit); ok {
					entered.Add(1)
					if inside[one].Add(1) > limit {
						over.Store(true)
					}
					inside[one].Add(-1)
					place.Leave()
				}
				if i%50 == 0 {
					s.sweep()
				}
			}
		})
	}
	wg.Wait()
	require.False(t, over.Load())
	require.Positive(t, entered.Load())
	for one := range inside {
		require.Zero(t, s.InFlight(strconv.Itoa(one)))
	}
}

func BenchmarkEnter(b *testing.B) {
	var s Sandboxes
	b.ReportAllocs()
	for b.Loop() {
		place, _ := s.Enter("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", 4096)
		place.Leave()
	}
}
