package lifecycle

import "sync/atomic"

// InFlight counts the requests, streams and WebSockets under way with one sandbox, over
// all route forms, protocols, configurations and generations (threat row X1). It is safe
// for concurrent use.
type InFlight struct{ n atomic.Int64 }

// Enter counts one more unless limit of them are under way (0 = no limit). After true,
// Leave is to be called once.
func (f *InFlight) Enter(limit int) bool {
	for {
		n := f.n.Load()
		if limit > 0 && n >= int64(limit) {
			return false
		}
		if f.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Leave gives a place back.
func (f *InFlight) Leave() { f.n.Add(-1) }

// Len is how much is under way.
func (f *InFlight) Len() int { return int(f.n.Load()) }

// usage is what all entries of one id share.
type usage struct {
	touch    atomic.Int64
	inFlight InFlight
}

func (u *usage) pointers() (*atomic.Int64, *InFlight) { return &u.touch, &u.inFlight }
