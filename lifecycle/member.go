package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
)

// A member of a pool is a sandbox like any other to events, reconcile and teardown. It is
// known to nobody else: not found, listed or counted, without a route and without a
// deadline, until a claim makes it somebody's. On disk its record stays in phase Creating,
// so that a restart removes it unless the pool still has it as a member.

// CheckTemplate applies the rules of a create to what members of a pool are made from.
func (s *Service) CheckTemplate(r CreateRequest) error {
	_, err := s.check(r, s.clock.Now())
	return err
}

// AddMember makes the sandbox of one place of a pool and returns when its execd has
// answered. On an error nothing of it is left behind.
func (s *Service) AddMember(ctx context.Context, p Place) (err error) {
	if !s.gate.enter() {
		s.o.Pools.Gone(p.ID)
		return errClosing()
	}
	defer s.gate.leave()
	template, err := s.o.Pools.Template(p.Pool)
	if err != nil {
		s.o.Pools.Gone(p.ID)
		return err
	}
	c, err := s.check(template, s.clock.Now())
	if err != nil {
		s.o.Pools.Gone(p.ID)
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()

	u := newTracked(&view{record: Record{
		ID: p.ID, Phase: Creating, Image: c.request.Image, Platform: c.request.Platform,
		Entrypoint: c.request.Entrypoint, CreatedAt: stamp(s.clock.Now()), ExecdToken: !s.o.WithoutExecdToken,
	}.Clone()})
	u.member.Store(true)
	u.lock <- struct{}{}
	defer s.release(u)
	if err := s.admitOne(u); err != nil {
		s.o.Pools.Gone(p.ID)
		return err
	}
	if err = s.makeMember(ctx, u, c, p.Pool); err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(err, cause)
	}
	if !u.gone {
		s.undo(ctx, u, causeCreate)
	}
	return s.backendError(err, "SANDBOX_START_FAILED", "The sandbox could not be started")
}

// admitOne makes an id known unless every place of the server is taken.
func (s *Service) admitOne(u *tracked) error {
	s.admission.Lock()
	defer s.admission.Unlock()
	if s.o.MaxSandboxes > 0 && s.count.Load()-int64(s.unmade.len()) >= int64(s.o.MaxSandboxes) {
		return apierror.New(http.StatusTooManyRequests, codeTooMany, "This server has reached its limit of %d sandboxes. Delete one first.", s.o.MaxSandboxes).Retry(retryFull)
	}
	s.add(u)
	return nil
}

// makeMember takes u from nothing to a member. It cleans nothing up.
func (s *Service) makeMember(ctx context.Context, u *tracked, c checked, pool string) error {
	if err := s.creates.acquire(ctx); err != nil {
		return err
	}
	defer s.creates.release()
	record := u.view.Load().record
	if err := s.save(ctx, record); err != nil {
		return err
	}
	spec := s.spec(record, c)
	spec.Pool = pool
	inst, err := s.o.Runtime.Create(ctx, spec)
	if err != nil {
		return err
	}
	if inst, err = s.awaitExecd(ctx, u, inst); err != nil {
		return err
	}
	if inst.Status.State.ended() {
		return fmt.Errorf("the main process of a new member ended: %s", inst.Status.Reason)
	}
	if err := s.o.Pools.Join(ctx, u.id); err != nil {
		return err
	}
	record.Phase = Live
	if len(inst.Seed.Entrypoint) > 0 {
		record.Entrypoint = inst.Seed.Entrypoint
	}
	u.view.Store((&view{record: record}).with(inst))
	return nil
}

// RemoveMember removes a member unless it has been claimed meanwhile.
func (s *Service) RemoveMember(ctx context.Context, id string) error {
	if !s.gate.enter() {
		return errClosing()
	}
	defer s.gate.leave()
	u, err := s.known(id)
	if err != nil {
		s.o.Pools.Gone(id)
		return nil //nolint:nilerr // nothing of it is left, which is what was wanted
	}
	leave, err := s.enterTeardown(ctx, u)
	if err != nil {
		return err
	}
	defer leave()
	if u.gone || !u.member.Load() {
		return nil
	}
	return s.teardown(ctx, u, causePool)
}

// memberOf tells, when a restart finds a record in the phase of a member, whether it is
// one that can still be handed out.
func (s *Service) memberOf(r Record, inst Instance) bool {
	return s.o.Pools != nil && r.Phase == Creating && inst.Status.State == Running && s.o.Pools.Member(r.ID)
}
