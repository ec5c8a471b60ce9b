package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
)

// ErrStale says that an Entry is not the sandbox's any more; it has to be looked up again.
var ErrStale = errors.New("the sandbox's address is out of date")

// maxConfirm bounds one confirmation.
const maxConfirm = 5 * time.Second

// Confirm says whether e may be dialled. On a shared network its execd has to prove that
// it still listens. Beyond that, while the event stream is healthy that is
// a comparison in memory. When the stream has been down for longer than two seconds,
// the address may have been given to another sandbox unheard, and the backend is asked:
// once for all callers that ask for the same sandbox at the same time.
//
// The errors are ErrStale, ctx's, and an *apierror.Error with status 503 when the
// backend does not answer.
func (s *Service) Confirm(ctx context.Context, e *Entry) error {
	if !s.current(e) {
		return ErrStale
	}
	if err := ConfirmDaemon(ctx, s.o.Prober, e, s.code("SANDBOX_NOT_READY")); err != nil {
		return err
	}
	if s.stream.downFor() <= staleAfter {
		return nil
	}
	result := s.confirms.DoChan(e.ID, func() (any, error) {
		ctx, cancel := context.WithTimeout(s.ctx, maxConfirm)
		defer cancel()
		return s.o.Runtime.Inspect(ctx, e.ID)
	})
	select {
	case r := <-result:
		if err := s.believe(e, r.Val, r.Err); err != nil {
			return err
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if !s.current(e) {
		return ErrStale
	}
	return nil
}

// current tells whether e is what the directory says now.
func (s *Service) current(e *Entry) bool {
	now, ok := s.directory.Lookup(e.ID)
	return ok && now.Generation == e.Generation && e.Ended() == nil
}

// believe compares e with what the backend just said, and cuts it off when it differs.
func (s *Service) believe(e *Entry, val any, err error) error {
	if err != nil && !errors.Is(err, ErrNotFound) {
		return apierror.New(http.StatusServiceUnavailable, s.code("SANDBOX_QUERY_FAILED"), "The backend does not answer, so the sandbox's address cannot be confirmed.").Because(err).Retry(1)
	}
	if err == nil {
		now := s.entry((&view{record: Record{ID: e.ID}}).with(val.(Instance)))
		confine(&now)
		if now.sameTarget(e) {
			return nil
		}
	}
	s.onEvent(Event{Type: EventStopped, ID: e.ID, BackendID: e.BackendID, At: s.clock.Now()})
	return ErrStale
}
