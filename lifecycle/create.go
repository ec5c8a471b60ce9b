package lifecycle

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/opensandbox-edge/edge/apierror"
)

// errDeleted is the cause with which a delete ends a create in progress.
var errDeleted = errors.New("deleted while it was being created")

// Create makes a sandbox and returns when its execd has answered, or when its main
// process has ended already. On an error, and when ctx ends before that, nothing of
// it is left behind.
func (s *Service) Create(ctx context.Context, r CreateRequest) (Sandbox, error) {
	if !s.gate.enter() {
		return Sandbox{}, errClosing()
	}
	defer s.gate.leave()

	begin := s.clock.Now()
	c, err := s.check(r, begin)
	if err != nil {
		return Sandbox{}, err
	}
	if c.pool != "" {
		return s.claim(ctx, c, begin, func(string) error { return nil })
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
	u, err := s.admit(c, begin, cancel)
	if err != nil {
		s.metrics.refused.Inc()
		return Sandbox{}, err
	}
	defer s.pending.leave(r.Client)
	defer s.release(u)
	if len(c.ignored) > 0 {
		s.log.InfoContext(ctx, "resource limits without effect on this runtime", "sandbox", u.id, "keys", clipAll(c.ignored))
	}

	sb, err := s.make(ctx, u, c)
	s.metrics.created(s.RuntimeName(), s.clock.Now().Sub(begin), err)
	if err == nil {
		s.log.InfoContext(ctx, "sandbox created", "sandbox", u.id, "state", string(sb.Status.State), "took", s.clock.Now().Sub(begin))
		return sb, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(err, cause)
	}
	s.log.WarnContext(ctx, "sandbox not created", "sandbox", u.id, "error", err)
	switch {
	case u.gone:
	case !u.begun:
		s.drop(u)
	default:
		s.undo(ctx, u, causeCreate)
	}
	return Sandbox{}, s.backendError(err, "SANDBOX_START_FAILED", "The sandbox could not be started")
}

// undo removes what must not stay. What could not be removed now is retried.
func (s *Service) undo(ctx context.Context, u *tracked, cause string) {
	if left := s.teardown(ctx, u, cause); left != nil {
		s.log.ErrorContext(ctx, "could not remove a sandbox; it will be retried", "sandbox", u.id, "cause", cause, "error", left)
	}
}

// admit reserves the place for a new sandbox, and locks it.
func (s *Service) admit(c checked, now time.Time, abort context.CancelCauseFunc) (*tracked, error) {
	if !s.pending.enter(c.request.Client, s.o.MaxPendingCreates) {
		return nil, apierror.New(http.StatusTooManyRequests, codeTooMany, "Too many sandboxes are being created. Try again.").Retry(1)
	}
	u := newTracked(&view{record: Record{
		ID: uuid.NewString(), Phase: Creating,
		Image: c.request.Image, Platform: c.request.Platform, Entrypoint: c.request.Entrypoint,
		Metadata: c.request.Metadata, CreatedAt: stamp(now),
		RenewExtend: c.access.extend, RenewMax: c.access.max, IdleTimeout: c.access.idle,
		ExecdToken: !s.o.WithoutExecdToken, SecureAccess: c.request.SecureAccess,
	}.Clone()})
	u.abort = abort
	s.note(u, occurredCreate, "A client asked for it.")
	u.lock <- struct{}{}

	if err := s.admitOne(u); err != nil {
		s.pending.leave(c.request.Client)
		return nil, err
	}
	return u, nil
}

// retryFull is what a client is told to wait for when every place is taken, in seconds.
const retryFull = 10

// make takes u from nothing to live. It cleans nothing up.
func (s *Service) make(ctx context.Context, u *tracked, c checked) (Sandbox, error) {
	if err := s.creates.acquire(ctx); err != nil {
		return Sandbox{}, err
	}
	defer s.creates.release()
	u.begun = true

	// From here on a restart finds the record and removes whatever the backend has.
	record := u.view.Load().record
	if err := s.save(ctx, record); err != nil {
		return Sandbox{}, err
	}
	ended := u.ended.Load() // read before the address is learned, see publish
	inst, err := s.o.Runtime.Create(ctx, s.spec(record, c))
	if err != nil {
		return Sandbox{}, err
	}
	started := s.clock.Now()
	inst, err = s.awaitExecd(ctx, u, inst)
	if err != nil {
		return Sandbox{}, err
	}
	s.metrics.ready(s.RuntimeName(), s.clock.Now().Sub(started))

	record.Phase = Live
	asked := record.Entrypoint
	if len(inst.Seed.Entrypoint) > 0 {
		record.Entrypoint = inst.Seed.Entrypoint // a shell line is split by some backends
	}
	begun := startOf(inst, record.CreatedAt, s.clock.Now())
	if c.request.Timeout > 0 {
		record.ExpiresAt = stamp(begun.Add(c.request.Timeout))
	}
	record.IdleUntil = record.idleUntil(begun, 0)
	if err := s.save(ctx, record); err != nil {
		return Sandbox{}, err
	}
	u.view.Store((&view{record: record}).with(inst))
	s.note(u, occurredReady, "It can be used; it is "+string(inst.Status.State)+".")
	s.arm(u)
	if errors.Is(s.publish(u, ended), errOutdated) {
		// It ended while this was written: what is returned should say so.
		if err := s.inspect(ctx, u); err != nil {
			return Sandbox{}, err
		}
		if u.gone {
			return Sandbox{}, fmt.Errorf("the sandbox disappeared: %w", ErrNotFound)
		}
	}
	sb := u.view.Load().sandbox()
	sb.Entrypoint = asked // the answer echoes the request (contract 01 §6.4)
	return sb.clone(), nil
}

// startOf is when the container started, from which the timeout counts. The backend's
// clock is believed within what is possible.
func startOf(inst Instance, created, now time.Time) time.Time {
	if inst.StartedAt.Before(created) || inst.StartedAt.After(now) {
		return now
	}
	return inst.StartedAt
}

func (s *Service) spec(r Record, c checked) Spec {
	spec := Spec{
		ID: r.ID, Image: r.Image, ImageAuth: c.request.ImageAuth, Platform: r.Platform,
		Entrypoint: r.Entrypoint, Env: c.request.Env, Metadata: r.Metadata,
		Limits: c.limits, Volumes: c.request.Volumes, Timeout: c.request.Timeout, RenewValue: c.access.value,
		RenewMax: c.access.max, IdleTimeout: c.access.idle, SecureAccess: r.SecureAccess,
	}
	if r.ExecdToken {
		sum := sumOf(DeriveExecdToken(s.o.Secret, r.ID))
		spec.ExecdTokenSHA256 = hex.EncodeToString(sum[:])
	}
	return spec
}

func clipAll(keys []string) slog.Value {
	const most = 10
	short := make([]string, 0, most)
	for _, k := range keys[:min(len(keys), most)] {
		short = append(short, apierror.Clip(k))
	}
	return slog.AnyValue(short)
}
