package logging_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/logging"
)

func TestSampler(t *testing.T) {
	s := logging.Sampler{First: 3, Each: 10}
	take := func(n int, now time.Time) (taken, stands int) {
		for range n {
			if k := s.Take(now); k > 0 {
				taken++
				stands += k
			}
		}
		return taken, stands
	}
	now := time.Unix(1000, 999)
	taken, stands := take(3, now)
	require.Equal(t, []int{3, 3}, []int{taken, stands})
	taken, stands = take(100, now)
	require.Equal(t, []int{10, 100}, []int{taken, stands}, "every tenth, for ten")
	taken, _ = take(2, now.Add(time.Second))
	require.Equal(t, 2, taken, "a new second")
	taken, _ = take(5, now)
	require.Equal(t, 3, taken, "a clock that steps back is another second")

	var all logging.Sampler
	require.Equal(t, 1, all.Take(now))
}
