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
		err = s.setExpiry(ctx, u, at)
	}
	s.metrics.renewed("api", outcome(err))
	if err != nil {
		return time.Time{}, err
	}
	return at, nil
}

// ExtendOnAccess moves the expiry of a sandbox that opted in, because it is used
// (contract 04 §9.5). It never shortens, and never goes beyond MaxTimeout after the
// creation. It returns the expiry that holds now. A sandbox that is not running, or
// does not expire, or did not opt in, is left alone.
func (s *Service) ExtendOnAccess(ctx context.Context, id string) (time.Time, error) {
	u, leave, err := s.takeForWrite(ctx, id)
	if err != nil {
		s.metrics.renewed("access", outcome(err))
		return time.Time{}, err
	}
	defer leave()
	v := u.view.Load()
	current := v.record.ExpiresAt
	if v.status.State != Running || current.IsZero() || v.record.RenewExtend <= 0 {
		s.metrics.renewed("access", "ineligible")
		return current, nil
	}
	at := stamp(s.clock.Now().Add(v.record.RenewExtend))
	if s.o.MaxTimeout > 0 {
		at = earlier(at, v.record.CreatedAt.Add(s.o.MaxTimeout))
	}
	if !at.After(current) {
		s.metrics.renewed("access", "unchanged")
		return current, nil
	}
	err = s.setExpiry(ctx, u, at)
	s.metrics.renewed("access", outcome(err))
	if err != nil {
		return current, err
	}
	s.log.DebugContext(ctx, "sandbox renewed by access", "sandbox", id, "expires", at)
	return at, nil
}

// setExpiry stores the new expiry and then moves the deadline. The caller holds the lock.
func (s *Service) setExpiry(ctx context.Context, u *tracked, at time.Time) error {
	v := u.view.Load()
	record := v.record
	record.ExpiresAt = at
	if err := s.save(ctx, record); err != nil {
		return err
	}
	u.view.Store(v.withRecord(record))
	s.expiry.set(u.id, at)
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

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
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
