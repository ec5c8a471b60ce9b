package lifecycle

import (
	"context"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
)

// Renew sets when a sandbox expires; earlier than now planned is allowed. It returns
// the new expiry, which is stored by then.
func (s *Service) Renew(ctx context.Context, id string, at time.Time) (time.Time, error) {
	u, leave, err := s.takeForWrite(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	defer leave()
	at = stamp(at)
	switch now := s.clock.Now(); {
	case !at.After(now):
		err = apierror.New(http.StatusBadRequest, codeInvalidExpiration, "expiresAt must be in the future; the server's time is %s.", now.UTC().Format(time.RFC3339))
	case at.After(latest):
		err = apierror.New(http.StatusBadRequest, codeInvalidExpiration, "expiresAt must not be after the year 9999.")
	case u.view.Load().record.ExpiresAt.IsZero():
		// Clients match this phrase (contract 02 §12.1).
		err = apierror.New(http.StatusConflict, codeInvalidExpiration, "Sandbox %s does not have automatic expiration enabled.", id)
	default:
		record := u.view.Load().record
		record.ExpiresAt = at
		record.IdleUntil = record.idleUntil(s.clock.Now(), 0) // somebody cares for it
		err = s.setDeadline(ctx, u, record)
	}
	s.metrics.renewed("api", outcome(err))
	if err != nil {
		return time.Time{}, err
	}
	return at, nil
}

// Access is what the renewer knows of accesses to a sandbox.
type Access struct {
	// Extend moves the expiry, beside the idle deadline.
	Extend bool
	// Unseen is for how long further accesses may go unreported, because reports are
	// throttled. A sandbox in use is not idle meanwhile.
	Unseen time.Duration
}

// Outcome is what an access did.
type Outcome string

// The outcomes without an error.
const (
	Renewed    Outcome = "renewed"    // the expiry was moved
	Deferred   Outcome = "deferred"   // only the idle deadline was moved
	Unchanged  Outcome = "unchanged"  // nothing was to be moved, so nothing was written
	Ineligible Outcome = "ineligible" // not running, or nothing of it depends on accesses
)

// Extension is the result of an access.
type Extension struct {
	Outcome   Outcome
	ExpiresAt time.Time // the expiry that holds now; zero = manual cleanup
}

// ExtendOnAccess moves the expiry and the idle deadline of a sandbox that opted in,
// because it is used (contract 04 §9.5). It never shortens, and gives no longer life than
// MaxTimeout and the sandbox's own bound allow. What it moved is stored when it returns.
func (s *Service) ExtendOnAccess(ctx context.Context, id string, a Access) (Extension, error) {
	u, leave, err := s.takeForWrite(ctx, id)
	if err != nil {
		s.metrics.renewed("access", outcome(err))
		return Extension{}, err
	}
	defer leave()
	x, err := s.accessed(ctx, u, a)
	if err != nil {
		s.metrics.renewed("access", outcome(err))
		return x, err
	}
	s.metrics.renewed("access", string(x.Outcome))
	return x, nil
}

// accessed is ExtendOnAccess under the sandbox's lock.
func (s *Service) accessed(ctx context.Context, u *tracked, a Access) (Extension, error) {
	v := u.view.Load()
	before, now := v.record, s.clock.Now()
	x := Extension{Ineligible, before.ExpiresAt}
	extends := a.Extend && before.RenewExtend > 0 && !before.ExpiresAt.IsZero()
	if v.status.State != Running || !extends && before.IdleTimeout <= 0 {
		return x, nil
	}
	record := before
	if extends {
		record.ExpiresAt = record.extended(now, s.o.MaxTimeout)
	}
	record.IdleUntil = record.idleUntil(now, a.Unseen)
	switch {
	case !record.ExpiresAt.Equal(before.ExpiresAt):
		x.Outcome = Renewed
	case !record.IdleUntil.Equal(before.IdleUntil):
		x.Outcome = Deferred
	default:
		x.Outcome = Unchanged
		return x, nil
	}
	if err := s.setDeadline(ctx, u, record); err != nil {
		return x, err
	}
	x.ExpiresAt = record.ExpiresAt
	return x, nil
}

// used lets the idle time of a sandbox begin anew. The caller holds the lock.
func (s *Service) used(ctx context.Context, u *tracked) {
	record := u.view.Load().record
	until := record.idleUntil(s.clock.Now(), 0)
	if until.Equal(record.IdleUntil) {
		return
	}
	record.IdleUntil = until
	if err := s.setDeadline(ctx, u, record); err != nil {
		s.log.ErrorContext(ctx, "could not move the idle deadline of a sandbox", "sandbox", u.id, "error", err)
	}
}

// setDeadline stores a record with another deadline and then moves the deadline. The
// caller holds the lock.
func (s *Service) setDeadline(ctx context.Context, u *tracked, record Record) error {
	if err := s.save(ctx, record); err != nil {
		return err
	}
	v := u.view.Load()
	if !record.ExpiresAt.Equal(v.record.ExpiresAt) {
		s.note(u, occurredRenewal, "It now expires at "+record.ExpiresAt.Format(time.RFC3339)+".")
	}
	u.view.Store(v.withRecord(record))
	s.arm(u)
	return nil
}

// takeForWrite is takeLive for a caller from outside; leave undoes both.
func (s *Service) takeForWrite(ctx context.Context, id string) (u *tracked, leave func(), err error) {
	if !s.gate.enter() {
		return nil, nil, errClosing()
	}
	u, err = s.takeLive(ctx, id)
	if err != nil {
		s.gate.leave()
		return nil, nil, err
	}
	return u, func() {
		s.release(u)
		s.gate.leave()
	}, nil
}

func outcome(err error) string {
	switch e := apierror.From(err); {
	case err == nil:
		return "ok"
	case e.Status < http.StatusInternalServerError:
		return "rejected"
	}
	return "failed"
}
