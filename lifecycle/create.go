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
// it is left behind. With r.Async it returns as soon as the sandbox is promised, and the
// sandbox's state tells how it went on.
func (s *Service) Create(ctx context.Context, r CreateRequest) (Sandbox, error) {
	if !s.gate.enter() {
		return Sandbox{}, errClosing()
	}
	defer s.gate.leave()
	turn, made, err := s.once(ctx, r)
	if err != nil {
		return Sandbox{}, err
	}
	if made != nil {
		return *made, nil
	}
	defer s.free(ctx, turn) // unless it is kept before

	begin := s.clock.Now()
	c, err := s.check(r, begin)
	if err != nil {
		return Sandbox{}, err
	}
	if c.pool != "" {
		sb, err := s.claim(ctx, c, begin, func(id string) error { return s.bind(ctx, turn, id) })
		if err == nil {
			s.keep(ctx, turn)
		}
		return sb, err
	}
	life := ctx
	if r.Async {
		life = s.ctx
	}
	life, cancel := context.WithCancelCause(life)
	u, err := s.admit(c, begin, cancel)
	if err != nil {
		cancel(nil)
		s.metrics.refused.Inc()
		return Sandbox{}, err
	}
	if len(c.ignored) > 0 {
		s.log.InfoContext(ctx, "resource limits without effect on this runtime", "sandbox", u.id, "keys", clipAll(c.ignored))
	}
	err = s.bind(life, turn, u.id)
	if err == nil && r.Async {
		err = s.promise(life, u)
	}
	work := func() (sb Sandbox, failed error) {
		defer cancel(nil)
		defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
		defer s.pending.leave(r.Client)
		defer s.release(u)
		if failed = err; failed == nil {
			sb, failed = s.make(life, u, c)
		}
		return sb, s.finish(life, u, begin, failed)
	}
	if err == nil && r.Async {
		s.keep(ctx, turn)
		sb := u.view.Load().sandbox().clone()
		s.background(func(context.Context) { _, _ = work() })
		return sb, nil
	}
	sb, err := work()
	if err == nil {
		s.keep(ctx, turn)
	}
	return sb, err
}

// finish ends a create: what failed is cleaned up. It returns what the client is told.
// The caller holds the lock.
func (s *Service) finish(ctx context.Context, u *tracked, begin time.Time, err error) error {
	took := s.clock.Now().Sub(begin)
	s.metrics.created(s.RuntimeName(), took, err)
	if err == nil {
		s.log.InfoContext(ctx, "sandbox created", "sandbox", u.id, "state", string(u.view.Load().status.State), "took", took)
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(err, cause)
	}
	s.log.WarnContext(ctx, "sandbox not created", "sandbox", u.id, "error", err)
	failure := s.backendError(err, "SANDBOX_START_FAILED", "The sandbox could not be started")
	promised := u.view.Load().record.Promised && s.o.FailureTTL > 0 && !errors.Is(err, errDeleted)
	switch {
	case u.gone:
	case !u.begun:
		s.drop(u)
	case promised && u.started && errors.Is(err, ErrClosed):
		// It is left as it is: the next start goes on with it.
	case promised:
		s.keepFailure(ctx, u, failure)
	default:
		s.undo(ctx, u, causeCreate)
	}
	return failure
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
		Image: shownImage(c.request), SnapshotID: c.request.SnapshotID, Platform: c.request.Platform, Entrypoint: c.request.Entrypoint,
		Metadata: c.request.Metadata, CreatedAt: stamp(now), ExpiresAt: provisional(stamp(now), c.request.Timeout),
		RenewExtend: c.access.extend, RenewMax: c.access.max, IdleTimeout: c.access.idle,
		ExecdToken: !s.o.WithoutExecdToken, SecureAccess: c.request.SecureAccess,
	}.Clone()})
	u.abort = abort
	u.advance(StepQueued)
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
	u.advance(StepCreating)

	// From here on a restart finds the record and removes whatever the backend has.
	record := u.view.Load().record
	if err := s.save(ctx, record); err != nil {
		return Sandbox{}, err
	}
	ended := u.ended.Load() // read before the address is learned, see publish
	spec := s.spec(record, c)
	spec.Notice = u.advance
	inst, err := s.o.Runtime.Create(ctx, spec)
	if err != nil {
		return Sandbox{}, err
	}
	return s.settle(ctx, u, inst, ended)
}

// settle takes u from a started container to live. ended is what its counter was before the
// backend was asked.
func (s *Service) settle(ctx context.Context, u *tracked, inst Instance, ended uint64) (Sandbox, error) {
	u.started = true
	u.advance(StepStarting)
	started := s.clock.Now()
	inst, err := s.awaitExecd(ctx, u, inst)
	if err != nil {
		return Sandbox{}, err
	}
	s.metrics.ready(s.RuntimeName(), s.clock.Now().Sub(started))

	record := u.view.Load().record
	record.Phase = Live
	asked := record.Entrypoint
	if len(inst.Seed.Entrypoint) > 0 {
		record.Entrypoint = inst.Seed.Entrypoint // a shell line is split by some backends
	}
	begun := startOf(inst, record.CreatedAt, s.clock.Now())
	if !record.ExpiresAt.IsZero() {
		record.ExpiresAt = stamp(begun.Add(record.ExpiresAt.Sub(record.CreatedAt)))
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
		ID: r.ID, Image: c.request.Image, SnapshotID: r.SnapshotID, ImageAuth: c.request.ImageAuth, Platform: r.Platform,
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

// shownImage is what clients are told about the image; a snapshot's is nobody's business.
func shownImage(r CreateRequest) string {
	if r.SnapshotID != "" {
		return ""
	}
	return r.Image
}

func clipAll(keys []string) slog.Value {
	const most = 10
	short := make([]string, 0, most)
	for _, k := range keys[:min(len(keys), most)] {
		short = append(short, apierror.Clip(k))
	}
	return slog.AnyValue(short)
}
