package lifecycle

import "time"

// Clock is the wall clock, replaceable in tests.
type Clock interface {
	Now() time.Time
	// NewTimer returns a timer that sends once on its channel after d.
	NewTimer(d time.Duration) Timer
}

// Timer is the part of time.Timer that the package needs.
type Timer interface {
	C() <-chan time.Time
	Stop()
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

type systemTimer struct{ t *time.Timer }

func (t systemTimer) C() <-chan time.Time { return t.t.C }

func (t systemTimer) Stop() { t.t.Stop() }

// stamp brings a time into the form that is stored and shown: UTC, microseconds
// and without a monotonic part, so that comparisons follow the wall clock.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
