package lifecycle

import (
	"context"
	"time"
)

// Armed tells for when the expiry scheduler is set.
func (s *Service) Armed(id string) (time.Time, bool) {
	s.expiry.mu.Lock()
	defer s.expiry.mu.Unlock()
	if d, ok := s.expiry.index[id]; ok {
		return d.at, true
	}
	return time.Time{}, false
}

// Nudge has the expiry scheduler reckon its sleep again.
func (s *Service) Nudge() {
	select {
	case s.expiry.wake <- struct{}{}:
	default:
	}
}

// Reconcile runs one reconcile now.
func (s *Service) Reconcile(ctx context.Context) error { return s.reconcile(ctx) }

// MaxUnmade is how many failures are remembered at once.
const MaxUnmade = maxUnmade

// MaxSleep is the longest sleep of the expiry scheduler.
const MaxSleep = maxSleep

// EventsSeen counts the events after which a sandbox's address counts as given away.
func (s *Service) EventsSeen(id string) uint64 {
	u, err := s.find(id)
	if err != nil {
		return 0
	}
	return u.ended.Load()
}

// CutForTest is what the service does on an event after which the address may be another's.
func (d *Directory) CutForTest(id string) { d.cut(id, Unknown) }

// WaitingForTest is the number of callers in Await.
func (d *Directory) WaitingForTest(id string) int {
	d.writing.Lock()
	defer d.writing.Unlock()
	if v := d.audience.waiting[id]; v != nil {
		return v.callers
	}
	return 0
}

// FollowForTest follows with another bound of changes in store.
func (d *Directory) FollowForTest(limit int) *Follower { return d.follow(limit) }
