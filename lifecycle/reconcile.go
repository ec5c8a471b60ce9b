package lifecycle

import (
	"context"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"
)

// reconcileGap is the least time between two lists, however many events ask for one.
const reconcileGap = time.Second

// maxList bounds one list of the backend.
const maxList = time.Minute

// wantReconcile asks for a reconcile soon. It never blocks.
func (s *Service) wantReconcile() {
	select {
	case s.reconciles <- struct{}{}:
	default:
	}
}

// reconcileLoop repairs periodically, and when asked, what events have missed.
func (s *Service) reconcileLoop(ctx context.Context) {
	for ctx.Err() == nil {
		timer := s.clock.NewTimer(s.o.ReconcileInterval)
		select {
		case <-timer.C():
		case <-s.reconciles:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
		if err := s.reconcile(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "could not reconcile with the backend", "error", err)
		}
		s.sleep(ctx, min(reconcileGap, s.o.ReconcileInterval))
	}
}

// reconcile compares what is known with the backend's list: the truth, but of a moment
// ago. Every contradiction is therefore looked at under the sandbox's lock before it
// is believed, and a sandbox whose lock is taken is left to whoever works on it.
func (s *Service) reconcile(ctx context.Context) error {
	s.sweep(ctx)
	bounded, cancel := context.WithTimeout(ctx, maxList)
	defer cancel()
	known := s.live()
	list, err := s.o.Runtime.List(bounded)
	s.stream.listFailing.Store(err != nil)
	if err != nil {
		return err
	}
	s.stream.listed()

	var work errgroup.Group
	work.SetLimit(refreshWorkers)
	for _, inst := range list {
		u, err := s.known(inst.ID)
		switch {
		case err != nil:
			work.Go(func() error { s.adopt(ctx, inst); return nil })
		case known[inst.ID] == nil || u.view.Load().agrees(inst) && s.shown(u):
		default:
			work.Go(func() error { s.tryRefresh(ctx, u); return nil })
		}
		delete(known, inst.ID)
	}
	for _, u := range known {
		work.Go(func() error { s.tryRefresh(ctx, u); return nil })
	}
	return work.Wait()
}

func (s *Service) tryRefresh(ctx context.Context, u *tracked) {
	if !u.tryAcquire() {
		return
	}
	defer s.release(u)
	s.refresh(ctx, u)
}

// live are the sandboxes that a list begun now has to contain.
func (s *Service) live() map[string]*tracked {
	live := make(map[string]*tracked)
	s.sandboxes.Range(func(id, v any) bool {
		if u := v.(*tracked); u.view.Load().record.Phase == Live {
			live[id.(string)] = u
		}
		return true
	})
	return live
}

// agrees tells whether the backend reports what the view says.
func (v *view) agrees(inst Instance) bool {
	return v.backendID == inst.BackendID && v.status.State == inst.Status.State && v.address == inst.Address &&
		maps.Equal(v.published, inst.Published)
}

// shown tells whether the directory says what the view does: an event may have cut the
// entry of a sandbox that, as it turned out, runs on.
func (s *Service) shown(u *tracked) bool {
	if u.member.Load() {
		return true // it has no entry
	}
	e, ok := s.directory.Lookup(u.id)
	return ok && e.State == u.view.Load().status.State
}

// adopt takes in a sandbox of the backend that nobody here knows. The list it was on
// may be older than its removal, so the backend is asked once more.
func (s *Service) adopt(ctx context.Context, inst Instance) {
	u, ok := s.seed(ctx, inst)
	if !ok {
		return
	}
	defer s.release(u)
	if inst.Seed.Pool != "" {
		s.undo(ctx, u, causePool)
		return
	}
	s.refresh(ctx, u)
	if !u.gone {
		s.keepSeed(ctx, u)
	}
}

// sweep deletes the records that a removal left behind.
func (s *Service) sweep(ctx context.Context) {
	s.unrecorded.Range(func(id, _ any) bool {
		s.forget(ctx, id.(string))
		return ctx.Err() == nil
	})
}
