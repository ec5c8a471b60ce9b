package lifecycle

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/opensandbox-edge/edge/secret"
)

// maxInspect bounds one inspect.
const maxInspect = 10 * time.Second

// inspect asks the backend how a live sandbox is, and publishes it. A sandbox that is gone
// there is removed here too; u.gone tells. The caller holds the lock.
func (s *Service) inspect(ctx context.Context, u *tracked) error {
	u.stale.Store(false)
	ended := u.ended.Load()
	bounded, cancel := context.WithTimeout(ctx, maxInspect)
	inst, err := s.o.Runtime.Inspect(bounded, u.id)
	cancel()
	switch {
	case errors.Is(err, ErrNotFound):
		s.log.InfoContext(ctx, "sandbox vanished from the backend", "sandbox", u.id)
		// Leftovers of it may exist, so it goes the way of every other.
		return s.teardown(ctx, u, causeVanished)
	case err != nil:
		u.stale.Store(true)
		return err
	}
	v := u.view.Load()
	s.changed(u, v.status, inst.Status)
	u.view.Store(v.with(inst))
	if u.member.Load() && inst.Status.State != Running {
		s.o.Pools.Unfit(u.id)
	}
	if err := s.publish(u, ended); errors.Is(err, errOutdated) {
		u.stale.Store(true) // looked at again after the lock is released
	}
	return nil
}

// publish puts the view into the directory. ended is what the sandbox's counter was before
// the backend was asked: if it moved since, the address may be another sandbox's by
// now, and nothing is published.
func (s *Service) publish(u *tracked, ended uint64) error {
	if u.member.Load() {
		return nil
	}
	e := s.entry(u.view.Load())
	e.LastTouch, e.InFlight = u.usage.pointers()
	if token := s.accessToken(u.view.Load()); !token.IsZero() {
		e.SecureSum = sumOf(token)
	}
	_, err := s.directory.publish(e, func() bool { return u.ended.Load() == ended })
	if err != nil && !errors.Is(err, errOutdated) {
		s.log.Warn("sandbox without a route", "sandbox", u.id, "error", err)
	}
	return err
}

// entry is a view as the hot path sees it.
func (s *Service) entry(v *view) Entry {
	e := Entry{
		ID: v.record.ID, BackendID: v.backendID, State: v.status.State,
		Address: v.address.Unmap(), Published: v.published, SharesHost: v.host, IdleTimeout: v.record.IdleTimeout,
	}
	s.confineToHost(&e)
	if v.record.ExecdToken {
		e.ExecdTokenSum = sumOf(DeriveExecdToken(s.o.Secret, e.ID))
	}
	if !v.record.ExpiresAt.IsZero() {
		e.RenewExtend = v.record.RenewExtend
	}
	return e
}

func sumOf(token secret.Text) *[32]byte {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return &sum
}
