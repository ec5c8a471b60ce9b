package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
)

// errUnfit says that a member could not be handed out; another one may be.
var errUnfit = errors.New("the member does not run any more")

// claim answers a create that names a pool: with a member, or with a sandbox made as one
// would be where the pool has none left and allows it. chosen hears of the sandbox before
// it is the claim's. The gate is the caller's.
func (s *Service) claim(ctx context.Context, c checked, begin time.Time, chosen func(id string) error) (Sandbox, error) {
	if !s.pending.enter(c.request.Client, s.o.MaxPendingCreates) {
		s.metrics.refused.Inc()
		return Sandbox{}, apierror.New(http.StatusTooManyRequests, codeTooMany, "Too many sandboxes are being created. Try again.").Retry(1)
	}
	defer s.pending.leave(c.request.Client)
	for {
		place, err := s.o.Pools.Take(c.pool)
		if err != nil {
			s.metrics.refused.Inc()
			return Sandbox{}, err
		}
		path := pathPool
		if place.Cold {
			path = pathCold
			if err := s.AddMember(ctx, place); err != nil {
				s.metrics.createdBy(path, s.RuntimeName(), s.clock.Now().Sub(begin), err)
				return Sandbox{}, err
			}
		}
		sb, err := s.handOut(ctx, place.ID, c, chosen)
		if errors.Is(err, errUnfit) && !place.Cold && ctx.Err() == nil {
			continue // one that was made for the claim and ended at once would end again
		}
		took := s.clock.Now().Sub(begin)
		s.metrics.createdBy(path, s.RuntimeName(), took, err)
		if err != nil {
			s.log.WarnContext(ctx, "sandbox not claimed", "sandbox", place.ID, "pool", c.pool, "error", err)
			return Sandbox{}, s.backendError(err, "SANDBOX_START_FAILED", "The sandbox from the pool could not be handed out")
		}
		s.log.InfoContext(ctx, "sandbox claimed", "sandbox", place.ID, "pool", c.pool, "path", path, "took", took)
		return sb, nil
	}
}

// handOut makes a member the claim's. Whatever fails, it is nobody's afterwards and is
// removed: a sandbox that one client may have touched is no other's.
func (s *Service) handOut(ctx context.Context, id string, c checked, chosen func(id string) error) (Sandbox, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()
	u, err := s.known(id)
	if err != nil {
		s.o.Pools.Gone(id)
		return Sandbox{}, errUnfit
	}
	if err := u.acquire(context.WithoutCancel(ctx)); err != nil {
		return Sandbox{}, err
	}
	defer s.release(u)
	if u.gone {
		return Sandbox{}, errUnfit
	}
	var sb Sandbox
	if err = chosen(id); err == nil {
		sb, err = s.become(ctx, u, c, cancel)
	}
	if err == nil {
		return sb, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(err, cause)
	}
	if !u.gone {
		s.undo(ctx, u, causeCreate)
	}
	return Sandbox{}, err
}

// become turns a member into the claim's sandbox. The caller holds the lock and cleans up.
func (s *Service) become(ctx context.Context, u *tracked, c checked, abort context.CancelCauseFunc) (Sandbox, error) {
	if s.stream.downFor() > staleAfter {
		// It may have ended unheard, and its address be another's by now (threat row K9).
		if err := s.inspect(ctx, u); err != nil {
			return Sandbox{}, err
		}
	}
	v, ended := u.view.Load(), u.ended.Load()
	if u.gone || u.stale.Load() || v.record.Phase != Live || v.status.State != Running {
		return Sandbox{}, errUnfit
	}
	now := s.clock.Now()
	record := c.claimed(v.record, now)
	equips := len(c.request.Env) > 0 || len(c.launch) > 0
	if equips {
		record.Phase = Creating // a restart removes it: nobody has been told of it
	}
	if err := s.record(ctx, record); err != nil {
		return Sandbox{}, err
	}
	u.abort = abort
	u.view.Store(v.withRecord(record))
	u.member.Store(false)
	if equips {
		if err := s.equip(ctx, u, c); err != nil {
			return Sandbox{}, err
		}
		record.Phase = Live
		if err := s.save(ctx, record); err != nil {
			return Sandbox{}, err
		}
		u.view.Store(u.view.Load().withRecord(record))
	}
	s.note(u, occurredReady, "A client claimed it from a pool; it can be used.")
	s.arm(u)
	if errors.Is(s.publish(u, ended), errOutdated) {
		if err := s.inspect(ctx, u); err != nil {
			return Sandbox{}, err
		}
		if u.gone {
			return Sandbox{}, errUnfit
		}
	}
	return u.view.Load().sandbox().clone(), nil
}

// record writes a claim durably, and measures it.
func (s *Service) record(ctx context.Context, r Record) error {
	begin := s.clock.Now()
	err := s.o.Pools.Claim(ctx, r)
	s.metrics.stored(ctx, "claim", s.clock.Now().Sub(begin), err)
	return err
}

func (s *Service) equip(ctx context.Context, u *tracked, c checked) error {
	e := s.entry(u.view.Load())
	confine(&e)
	d, ok := e.daemon()
	if !ok {
		return errors.New("the member has no address")
	}
	if d.MustProve {
		if err := s.o.Prober.Ping(ctx, d); err != nil {
			return err
		}
	}
	eq := Equipment{Execd: d, Env: c.request.Env, Entrypoint: c.launch}
	if u.view.Load().record.ExecdToken {
		eq.Token = DeriveExecdToken(s.o.Secret, u.id)
	}
	return s.o.Pools.Equip(ctx, eq)
}

// claimed is the record of a member as a claim makes it. Its life begins with the claim.
func (c checked) claimed(member Record, now time.Time) Record {
	r := member.Clone()
	r.CreatedAt = stamp(now)
	r.Metadata, r.Entrypoint = c.request.Metadata, c.request.Entrypoint
	r.RenewExtend, r.RenewMax, r.IdleTimeout = c.access.extend, c.access.max, c.access.idle
	r.SecureAccess = c.request.SecureAccess
	if c.request.Timeout > 0 {
		r.ExpiresAt = stamp(now.Add(c.request.Timeout))
	}
	r.IdleUntil = r.idleUntil(now, 0)
	return r.Clone()
}
