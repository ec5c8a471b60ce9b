package lifecycle

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// restore joins the records with the backend's list by id. Record and instance: adopted,
// the record wins over labels. Record alone, half-made, half-removed or expired:
// removed. Promised and half-made: gone on with, or shown as Failed. Instance alone: adopted
// from its labels.
func (s *Service) restore(ctx context.Context) error {
	records, err := s.o.Store.All(ctx)
	if err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	bounded, cancel := context.WithTimeout(ctx, maxList)
	defer cancel()
	list, err := s.o.Runtime.List(bounded)
	s.stream.listFailing.Store(err != nil)
	if err != nil {
		return s.unreachable(err)
	}
	s.stream.listed()

	s.complete(bounded, list, records)
	found := make(map[string]Instance, len(list))
	for _, inst := range list {
		found[inst.ID] = inst
	}
	var removals errgroup.Group
	removals.SetLimit(s.o.MaxConcurrent)
	remove := func(u *tracked) {
		removals.Go(func() error {
			defer s.release(u)
			s.undo(ctx, u, causeRestart)
			return nil
		})
	}
	for _, r := range records {
		inst, exists := found[r.ID]
		delete(found, r.ID)
		u := newTracked((&view{record: r}).with(inst))
		u.lock <- struct{}{}
		s.add(u)
		if exists && s.memberOf(r, inst) {
			r.Phase = Live
			u.member.Store(true)
			u.view.Store(u.view.Load().withRecord(r))
			s.release(u)
			continue
		}
		switch {
		case r.Phase == Unmade:
			removals.Go(func() error {
				defer s.release(u)
				s.showFailure(u, r)
				s.clear(ctx, u)
				return nil
			})
			continue
		case r.Phase == Creating && r.Promised:
			if rest := s.resume(u); exists {
				s.background(rest)
			} else {
				removals.Go(func() error { rest(ctx); return nil })
			}
			continue
		case r.Phase != Live || !exists || s.expired(r):
			remove(u)
			continue
		}
		s.arm(u)
		s.note(u, occurredRestore, "The server started and found it "+string(inst.Status.State)+".")
		_ = s.publish(u, 0) // after a stop heard since, release has it looked at
		s.release(u)
	}
	for _, inst := range found {
		u, ok := s.seed(ctx, inst)
		switch {
		case !ok:
		case s.expired(u.view.Load().record), inst.Seed.Pool != "":
			remove(u)
		default:
			_ = s.publish(u, 0)
			s.keepSeed(ctx, u)
			s.release(u)
		}
	}
	_ = removals.Wait()
	if err := s.keys.Load(ctx, func(id string) bool { _, err := s.find(id); return err == nil }); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "sandboxes restored", "records", len(records), "on_backend", len(list), "known", s.count.Load())
	return ctx.Err()
}

// complete looks at the listed sandboxes of which a list does not tell enough: when
// the ended ones ended and why, and when the unrecorded ones were made. What cannot
// be looked at stays as it was listed.
func (s *Service) complete(ctx context.Context, list []Instance, records []Record) {
	recorded := make(map[string]bool, len(records))
	for _, r := range records {
		recorded[r.ID] = r.Phase == Live
	}
	var looks errgroup.Group
	looks.SetLimit(refreshWorkers)
	for i := range list {
		live, known := recorded[list[i].ID]
		if known && (!live || !list[i].Status.State.ended()) {
			continue
		}
		looks.Go(func() error {
			one, cancel := context.WithTimeout(ctx, maxInspect)
			defer cancel()
			if inst, err := s.o.Runtime.Inspect(one, list[i].ID); err == nil {
				list[i] = inst
			}
			return nil
		})
	}
	_ = looks.Wait()
}

func (s *Service) unreachable(err error) error {
	return apierror.New(http.StatusServiceUnavailable, s.code("INITIALIZATION_ERROR"), "The %s backend could not be listed.", s.o.Runtime.Name()).Because(err)
}

func (s *Service) expired(r Record) bool {
	at := r.deadline()
	return !at.IsZero() && !at.After(s.clock.Now())
}

// seed makes a locked sandbox of an unknown instance, from what its labels say. Labels are
// anybody's words, so the id has to be one that routes can carry.
func (s *Service) seed(ctx context.Context, inst Instance) (*tracked, bool) {
	if !wire.ValidID(inst.ID) {
		s.refuseStranger(ctx, inst)
		return nil, false
	}
	r := inst.Seed.Clone()
	r.ID, r.Phase = inst.ID, Live
	r.CreatedAt, r.ExpiresAt = stamp(r.CreatedAt), stamp(r.ExpiresAt)
	if r.CreatedAt.IsZero() {
		r.CreatedAt = stamp(inst.CreatedAt)
	}
	// When it was used last is nobody's to know: it starts anew.
	r.IdleUntil = r.idleUntil(s.clock.Now(), 0)
	u := newTracked((&view{record: r}).with(inst))
	u.lock <- struct{}{}
	if _, known := s.sandboxes.LoadOrStore(u.id, u); known {
		return nil, false
	}
	s.count.Add(1)
	return u, true
}

// keepSeed records an adopted sandbox. If the store fails, labels do for the next start too.
func (s *Service) keepSeed(ctx context.Context, u *tracked) {
	if err := s.save(ctx, u.view.Load().record); err != nil {
		s.log.ErrorContext(ctx, "could not record an adopted sandbox", "sandbox", u.id, "error", err)
	}
	s.arm(u)
	s.note(u, occurredAdoption, "The server found it "+string(u.view.Load().status.State)+" on the backend, without a record of its own.")
	s.log.InfoContext(ctx, "sandbox adopted", "sandbox", u.id, "state", string(u.view.Load().status.State))
}

// maxStrangers bounds the ids remembered as refused.
const maxStrangers = 1024

func (s *Service) refuseStranger(ctx context.Context, inst Instance) {
	s.strangers.once(inst.ID, func() {
		s.log.WarnContext(ctx, "sandbox on the backend ignored: its id cannot be part of a route", "id", apierror.Clip(inst.ID), "backend_id", apierror.Clip(inst.BackendID))
	})
}

// memory remembers which strings were seen, up to a bound.
type memory struct {
	mu   sync.Mutex
	seen map[string]struct{}
}

// once calls first for a string that is new, unless the memory is full.
func (m *memory) once(s string, first func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.seen[s]; known || len(m.seen) >= maxStrangers {
		return
	}
	if m.seen == nil {
		m.seen = make(map[string]struct{})
	}
	m.seen[s] = struct{}{}
	first()
}
