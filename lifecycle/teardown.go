package lifecycle

import (
	"context"
	"errors"
	"time"
)

// Why a sandbox is removed; a label of the metrics.
const (
	causeRequest  = "request"
	causeExpiry   = "expiry"
	causeIdle     = "idle"
	causeCreate   = "failed_create"
	causeVanished = "vanished"
	causeRestart  = "restart"
	causeRetry    = "retry"
	causePool     = "pool"
)

// Delete removes a sandbox in any state. One that is being created is given up.
func (s *Service) Delete(ctx context.Context, id string) error {
	if !s.gate.enter() {
		return errClosing()
	}
	defer s.gate.leave()
	u, err := s.find(id)
	if err != nil {
		return err
	}
	creating := u.view.Load().record.Phase == Creating && u.abort != nil
	if creating {
		u.abort(errDeleted)
	}
	leave, err := s.enterTeardown(ctx, u)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case u.gone && creating:
		return nil // the create cleaned up on our word
	case u.gone:
		return s.NotFound(id)
	}
	if err := s.teardown(ctx, u, causeRequest); err != nil {
		return s.backendError(err, "SANDBOX_DELETE_FAILED", "The sandbox could not be removed yet; the server keeps trying")
	}
	s.log.InfoContext(ctx, "sandbox deleted", "sandbox", id)
	return nil
}

// enterTeardown takes the lock and then one of the slots of teardowns. In the other order
// those who wait for one sandbox could take every slot, and nothing else would be removed.
// The scheduler, which has a slot, never waits for a lock.
func (s *Service) enterTeardown(ctx context.Context, u *tracked) (leave func(), err error) {
	if err := u.acquire(ctx); err != nil {
		return nil, s.waitError(err)
	}
	if err := s.teardowns.acquire(ctx); err != nil {
		s.release(u)
		return nil, s.waitError(err)
	}
	return func() {
		s.teardowns.release()
		s.release(u)
	}, nil
}

// teardown removes everything of a sandbox: the one way out for delete, expiry, failed
// creates, restarts and reconcile. It may be repeated. The caller holds the lock. ctx
// gives values, not its end. After a failure the sandbox stays known, is no longer
// routed to, and is tried again by the scheduler.
func (s *Service) teardown(ctx context.Context, u *tracked, cause string) error {
	ctx, cancel := detached(ctx, teardownTimeout)
	defer cancel()
	begin := s.clock.Now()

	s.directory.Remove(u.id, ErrGone)
	v := u.view.Load()
	if record := v.record; record.Phase != Deleting {
		record.Phase = Deleting
		u.view.Store(v.withRecord(record))
		if err := s.save(ctx, record); err != nil {
			// A restart would find the old phase and meet a half-removed sandbox, which it
			// removes too. A full disk must not keep sandboxes alive.
			s.log.ErrorContext(ctx, "could not note the removal of a sandbox", "sandbox", u.id, "error", err)
		}
	}
	err := s.o.Runtime.Delete(ctx, u.id)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	s.metrics.deleted(s.RuntimeName(), cause, s.clock.Now().Sub(begin), err)
	if err != nil {
		u.attempts++
		u.history.add(Occurrence{At: s.clock.Now(), Warning: true, Reason: occurredFailure, Message: "It could not be removed; the server keeps trying."})
		s.expiry.set(u.id, s.clock.Now().Add(retryPause(u.attempts)))
		return err
	}
	s.forget(ctx, u.id)
	s.drop(u)
	return nil
}

// forget deletes the record of a sandbox that is gone; reconcile tries again if that fails.
func (s *Service) forget(ctx context.Context, id string) {
	if err := s.erase(ctx, id); err != nil {
		s.unrecorded.Store(id, struct{}{})
		s.log.ErrorContext(ctx, "could not delete the record of a removed sandbox; it will be retried", "sandbox", id, "error", err)
		return
	}
	s.unrecorded.Delete(id)
}

// retryPause is the pause after the nth failed teardown in a row.
func retryPause(n int) time.Duration {
	const first, most = time.Second, time.Minute
	return min(first<<min(n-1, 10), most)
}

// expire is what the scheduler calls. A deadline may be out of date, because a renewal
// won the lock: then it is armed again for what the record says.
func (s *Service) expire(ctx context.Context, id string, due time.Time) {
	u, err := s.known(id)
	if err != nil {
		return
	}
	u.due.Store(true)
	if !u.tryAcquire() {
		return // whoever has the lock arms it again on unlocking
	}
	u.due.Store(false)
	defer s.release(u)
	if u.gone {
		return
	}
	record := u.view.Load().record
	if record.Phase == Unmade {
		s.expireUnmade(ctx, u)
		return
	}
	cause := causeRetry
	if record.Phase == Live {
		deadline, now := record.deadline(), s.clock.Now()
		if deadline.IsZero() {
			return
		}
		if deadline.After(now) {
			s.expiry.set(id, deadline)
			return
		}
		cause = causeExpiry
		if !deadline.Equal(record.ExpiresAt) {
			cause = causeIdle
		}
		s.metrics.expiryLag.Observe(now.Sub(deadline).Seconds())
	}
	if err := s.teardown(ctx, u, cause); err != nil {
		s.log.ErrorContext(ctx, "could not remove a sandbox; it will be retried", "sandbox", id, "cause", cause, "due", due, "attempt", u.attempts, "error", err)
		return
	}
	s.log.InfoContext(ctx, "sandbox removed", "sandbox", id, "cause", cause)
}

// arm sets the deadline that the record names.
func (s *Service) arm(u *tracked) {
	if at := u.view.Load().record.deadline(); !at.IsZero() {
		s.expiry.set(u.id, at)
	}
}
