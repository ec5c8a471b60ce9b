package lifecycle

import (
	"sync/atomic"
	"time"
)

// stream is what is known of the backend's event stream and lists.
type stream struct {
	clock Clock
	heard atomic.Pointer[time.Time] // when the last event or list came
	down  atomic.Pointer[time.Time] // since when the stream is down; nil = up

	listFailing atomic.Bool
}

// newStream makes a stream that is not up yet.
func newStream(c Clock) *stream {
	s := &stream{clock: c}
	now := c.Now()
	s.heard.Store(&now)
	s.down.Store(&now)
	return s
}

// note takes in an event of the stream.
func (s *stream) note(e Event) {
	now := s.clock.Now()
	if e.Type == EventDisconnected {
		s.down.CompareAndSwap(nil, &now)
		return
	}
	s.heard.Store(&now)
	if e.Type == EventConnected {
		s.down.Store(nil)
	}
}

func (s *stream) listed() {
	now := s.clock.Now()
	s.heard.Store(&now)
}

func (s *stream) age() time.Duration { return s.clock.Now().Sub(*s.heard.Load()) }

// downFor is how long the stream has been down; 0 = it is up.
func (s *stream) downFor() time.Duration {
	since := s.down.Load()
	if since == nil {
		return 0
	}
	return max(s.clock.Now().Sub(*since), 1)
}
