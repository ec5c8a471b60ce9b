package lifecycle

import (
	"context"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
)

// Pause freezes a running sandbox; it is paused when this returns. Its expiry goes on, and
// so does its idle time.
func (s *Service) Pause(ctx context.Context, id string) error {
	return s.turn(ctx, id, turn{
		from: Running, do: s.o.Runtime.Pause, verb: "paused",
		wrong: "SANDBOX_NOT_RUNNING", failed: "SANDBOX_PAUSE_FAILED",
	})
}

// Resume thaws a paused sandbox; it runs when this returns. Its idle time begins anew.
func (s *Service) Resume(ctx context.Context, id string) error {
	return s.turn(ctx, id, turn{
		from: Paused, do: s.o.Runtime.Resume, verb: "resumed",
		wrong: "SANDBOX_NOT_PAUSED", failed: "SANDBOX_RESUME_FAILED",
	})
}

// turn is a change from one state to another, with the codes of its failures.
type turn struct {
	from          State
	do            func(context.Context, string) error
	verb          string
	wrong, failed string
}

func (s *Service) turn(ctx context.Context, id string, t turn) error {
	if !s.gate.enter() {
		return errClosing()
	}
	defer s.gate.leave()
	u, err := s.takeLive(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(u)

	// Begun work is finished when the client leaves: half a pause helps nobody.
	ctx, cancel := detached(ctx, teardownTimeout)
	defer cancel()
	failure := "The sandbox could not be " + t.verb
	if err := s.inspect(ctx, u); err != nil {
		return s.backendError(err, t.failed, failure)
	}
	if u.gone {
		return s.NotFound(id)
	}
	if state := u.view.Load().status.State; state != t.from {
		return apierror.New(http.StatusConflict, s.code(t.wrong), "The sandbox is %s; only a sandbox that is %s can be %s.", state, t.from, t.verb)
	}
	if t.from == Running {
		// Before the backend freezes it: connections to a frozen sandbox would hang.
		s.directory.cut(id, Paused)
	} else {
		s.directory.resuming(id)
	}
	failed := t.do(ctx, id)
	if err := s.inspect(ctx, u); err != nil && failed == nil {
		return s.backendError(err, t.failed, failure)
	}
	if failed != nil {
		return s.backendError(failed, t.failed, failure)
	}
	if t.from == Paused && !u.gone {
		s.used(ctx, u)
	}
	s.log.InfoContext(ctx, "sandbox "+t.verb, "sandbox", id)
	return nil
}
