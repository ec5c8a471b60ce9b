package pools

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

var _ lifecycle.Pools = (*Set)(nil)

// What a client is told to wait for, in seconds: when a member is on its way, and when
// somebody has to give up a sandbox first.
const (
	retrySoon = 1
	retryFull = 10
)

// Take implements lifecycle.Pools. The member that has waited longest is taken.
func (s *Set) Take(name string) (lifecycle.Place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pools[name]
	if p == nil {
		return lifecycle.Place{}, notFound(name)
	}
	if len(p.idle) > 0 {
		id := p.idle[0]
		p.idle = p.idle[1:]
		s.members[id].state = claimed
		p.claimed++
		p.failures = 0 // it makes members that live
		s.metrics.claim(claimHit)
		s.nudge()
		return lifecycle.Place{Pool: name, ID: id}, nil
	}
	n := p.counts()
	switch {
	case n.total()+n.leaving >= p.Capacity.PoolMax && n.making+n.leaving > 0:
		s.metrics.claim(claimExhausted)
		return lifecycle.Place{}, exhausted("No sandbox of pool %q is ready.", name).Retry(retrySoon)
	case n.total()+n.leaving >= p.Capacity.PoolMax:
		s.metrics.claim(claimExhausted)
		return lifecycle.Place{}, exhausted("All sandboxes that pool %q may have are taken.", name).Retry(retryFull)
	case p.Template.FailWhenEmpty:
		s.metrics.claim(claimExhausted)
		return lifecycle.Place{}, exhausted("No sandbox of pool %q is ready.", name).Retry(retrySoon)
	}
	id := uuid.NewString()
	s.members[id] = &member{p, claimed}
	p.claimed++
	s.metrics.claim(claimCold)
	return lifecycle.Place{Pool: name, ID: id, Cold: true}, nil
}

func exhausted(format, name string) *apierror.Error {
	return apierror.New(http.StatusTooManyRequests, CodeExhausted, format+" Try again later.", name)
}

// Template implements lifecycle.Pools.
func (s *Set) Template(name string) (lifecycle.CreateRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pools[name]
	if p == nil {
		return lifecycle.CreateRequest{}, notFound(name)
	}
	return p.Template.Request(), nil
}

// Join implements lifecycle.Pools.
func (s *Set) Join(ctx context.Context, id string) error {
	s.mu.Lock()
	m := s.members[id]
	s.mu.Unlock()
	if m == nil {
		return errPoolGone
	}
	if err := s.store.PutMember(ctx, id, m.pool.Name); err != nil {
		return failed(err, "The member could not be saved.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pools[m.pool.Name] != m.pool {
		return errPoolGone // its rows went with it, or this one is another pool's of that name
	}
	if m.state == making {
		m.state = idle
		m.pool.making--
		m.pool.idle = append(m.pool.idle, id)
		s.nudge()
	}
	return nil
}

// Claim implements lifecycle.Pools.
func (s *Set) Claim(ctx context.Context, r lifecycle.Record) error {
	err := s.store.ClaimMember(ctx, r)
	if err == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.members[r.ID]; m != nil && s.pools[m.pool.Name] != m.pool {
		return notFound(m.pool.Name) // deleted since the place was taken
	}
	return failed(err, "The claim could not be saved.")
}

// Member implements lifecycle.Pools.
func (s *Set) Member(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.members[id]
	return m != nil && m.state == idle
}

// Unfit implements lifecycle.Pools.
func (s *Set) Unfit(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.members[id]; m != nil && m.state == idle {
		m.pool.failed(time.Now()) // a template whose command ends must not be made over and over
	}
	s.leave(id)
	s.nudge()
}

// leave has an idle member removed. The caller holds mu.
func (s *Set) leave(id string) {
	m := s.members[id]
	if m == nil || m.state != idle {
		return
	}
	m.pool.idle = slices.DeleteFunc(m.pool.idle, func(other string) bool { return other == id })
	m.pool.leaving++
	m.state = leaving
	s.leaving = append(s.leaving, id)
}

// Gone implements lifecycle.Pools.
func (s *Set) Gone(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.members[id]
	if m == nil {
		return
	}
	delete(s.members, id)
	switch m.state {
	case making:
		m.pool.making--
	case idle:
		m.pool.idle = slices.DeleteFunc(m.pool.idle, func(other string) bool { return other == id })
	case claimed:
		m.pool.claimed--
	case leaving:
		m.pool.leaving--
	}
	s.nudge()
}
