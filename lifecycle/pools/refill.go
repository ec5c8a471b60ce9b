package pools

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// rest is how long the goroutine sleeps when there is nothing to do and nobody wakes it.
const rest = time.Minute

// refill makes members where they lack and removes those that are too many, one after the
// other at the Set's pace, until ctx ends.
func (s *Set) refill(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		timer.Reset(s.step(ctx, time.Now()))
		// What begins now is followed by nothing for a while, whoever wakes.
		select {
		case <-time.After(s.pace):
		case <-ctx.Done():
			return
		}
	}
}

// step begins at most one removal and one making, and says when to look again.
func (s *Set) step(ctx context.Context, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pools {
		for over := -p.Capacity.lack(p.counts()); over > 0; over-- {
			s.leave(p.idle[0])
		}
	}
	next := rest
	if len(s.leaving) > 0 && s.going < s.atOnce {
		id := s.leaving[0]
		s.leaving = s.leaving[1:]
		s.going++
		s.work.Go(func() { s.remove(ctx, id) })
		next = s.pace
	}
	p, wait := s.neediest(now)
	switch {
	case p == nil:
		return min(next, wait)
	case s.making >= s.atOnce:
		return next // whoever is done wakes us
	}
	id := uuid.NewString()
	s.members[id] = &member{p, making}
	p.making++
	s.making++
	s.work.Go(func() { s.add(ctx, p, id) })
	return s.pace
}

// neediest is the pool that lacks most and is not at rest after a failure, or how long
// until one may be.
func (s *Set) neediest(now time.Time) (found *pool, wait time.Duration) {
	most, wait := 0, rest
	for _, p := range s.pools {
		lack := p.Capacity.lack(p.counts())
		switch {
		case lack <= most:
		case now.Before(p.resting):
			wait = min(wait, p.resting.Sub(now))
		default:
			found, most = p, lack
		}
	}
	return found, wait
}

func (s *Set) add(ctx context.Context, p *pool, id string) {
	begin := time.Now()
	err := s.service.AddMember(ctx, lifecycle.Place{Pool: p.Name, ID: id})
	s.metrics.refilled(time.Since(begin), err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.making--
	s.nudge()
	if err == nil {
		return
	}
	p.failed(time.Now())
	if ctx.Err() == nil && s.pools[p.Name] == p {
		s.log.WarnContext(ctx, "could not add a member to a pool; it will be retried", "pool", p.Name, "failures", p.failures, "error", err)
	}
}

// failed gives the pool a rest, longer with each failure since a claim found a member.
func (p *pool) failed(now time.Time) {
	p.failures++
	p.resting = now.Add(pause(p.failures))
}

func (s *Set) remove(ctx context.Context, id string) {
	err := s.service.RemoveMember(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.going--
	s.nudge()
	if err != nil && ctx.Err() == nil {
		// The service knows it is to go and tries again; a restart does, too.
		s.log.WarnContext(ctx, "could not remove a member of a pool yet", "sandbox", id, "error", err)
	}
}
