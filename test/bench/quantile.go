package main

import (
	"fmt"
	"slices"
	"time"
)

// quantiles are the middle and the upper end of times.
type quantiles struct{ p50, p95 time.Duration }

func spread[T any](samples []T, pick func(T) time.Duration) quantiles {
	var times []time.Duration
	for _, s := range samples {
		times = append(times, pick(s))
	}
	slices.Sort(times)
	return quantiles{p50: times[len(times)/2], p95: times[len(times)*95/100]}
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
