package lifecycle

import (
	"context"
	"time"
)

const (
	refreshWorkers = 4
	// maxRefreshes bounds the sandboxes waiting to be looked at; beyond it one list
	// does for all.
	maxRefreshes = 4096
	// watchPause is waited before a runtime whose Watch gave up is asked to watch again.
	watchPause = time.Second
)

// watch hears the backend's events until ctx ends.
func (s *Service) watch(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.o.Runtime.Watch(ctx, s.onEvent)
		if ctx.Err() != nil {
			return
		}
		s.onEvent(Event{Type: EventDisconnected})
		s.log.WarnContext(ctx, "the backend's event stream gave up; it is started again", "error", err)
		s.sleep(ctx, watchPause)
	}
}

func (s *Service) sleep(ctx context.Context, d time.Duration) {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-ctx.Done():
	}
}

// onEvent takes in one event. It never blocks: what needs the backend is queued.
func (s *Service) onEvent(e Event) {
	s.stream.note(e)
	switch e.Type {
	case EventConnected:
		s.wantReconcile()
		return
	case EventDisconnected:
		s.wantReconcile() // a list tells soon whether the whole backend is away
		return
	}
	u, err := s.about(e)
	if err != nil {
		if e.Type == EventStarted || e.Type == EventResumed {
			s.wantReconcile() // the list says whether it is ours
		}
		return
	}
	v := u.view.Load()
	foreign := v.backendID != "" && e.BackendID != "" && v.backendID != e.BackendID
	switch e.Type {
	case EventStopped, EventRemoved, EventDetached:
		if foreign {
			return
		}
		// The backend may give the address away at once. First the counter, then the
		// cut: an inspect that began before this can then no longer publish the old address.
		u.ended.Add(1)
		s.directory.cut(u.id, Unknown)
		select {
		case u.wake <- struct{}{}:
		default:
		}
	default:
		if v.record.Phase == Creating || !foreign && expected(e.Type, v.status.State) {
			return // the echo of what this service did itself
		}
	}
	u.stale.Store(true)
	s.refreshes.push(u.id, s.wantReconcile)
}

// about finds the sandbox of an event.
func (s *Service) about(e Event) (*tracked, error) {
	if e.ID != "" || e.Type != EventAttached && e.Type != EventDetached {
		return s.known(e.ID)
	}
	var found *tracked
	s.sandboxes.Range(func(_, v any) bool {
		if u := v.(*tracked); e.BackendID != "" && u.view.Load().backendID == e.BackendID {
			found = u
		}
		return found == nil
	})
	if found == nil {
		return nil, ErrNotFound
	}
	return found, nil
}

// expected tells whether a sandbox in that state has nothing to learn from an event.
func expected(t EventType, state State) bool {
	switch t {
	case EventStarted, EventResumed:
		return state == Running
	case EventPaused:
		return state == Paused
	}
	return false
}

// refreshLoop looks at sandboxes of which something was heard.
func (s *Service) refreshLoop(ctx context.Context) {
	for {
		id, ok := s.refreshes.pop(ctx)
		if !ok {
			return
		}
		u, err := s.known(id)
		if err != nil || !u.tryAcquire() {
			continue // whoever holds the lock queues it again on release
		}
		s.refresh(ctx, u)
		s.release(u)
	}
}

// refresh looks at a live sandbox. A backend that does not answer leaves it to the
// next reconcile. The caller holds the lock.
func (s *Service) refresh(ctx context.Context, u *tracked) {
	if u.gone || u.view.Load().record.Phase != Live {
		u.stale.Store(false)
		return
	}
	if err := s.inspect(ctx, u); err != nil {
		u.stale.Store(false)
		s.wantReconcile()
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "could not look at a sandbox", "sandbox", u.id, "error", err)
		}
	}
}
