package logging

import (
	"sync"
	"time"
)

// Sampler thins out events that strangers can cause at will: the First of a second all
// pass, and every Each-th after them. The zero value passes everything; it is safe for
// concurrent use.
type Sampler struct {
	First, Each int

	mu     sync.Mutex
	second int64
	count  int
}

// Take tells for how many events the one at now stands: 1 for itself alone, more for
// those that were left out as well, 0 when it is left out.
func (s *Sampler) Take(now time.Time) int {
	if s.Each <= 1 {
		return 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if second := now.Unix(); second != s.second {
		s.second, s.count = second, 0
	}
	s.count++
	switch over := s.count - s.First; {
	case over <= 0:
		return 1
	case over%s.Each == 0:
		return s.Each
	}
	return 0
}
