package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
)

// Step is how far a sandbox that is Pending has come: the reason and message of its status.
type Step struct{ Reason, Message string }

// The steps of a create. A runtime tells of pulling
// and, after it, of creating again.
var (
	StepQueued   = Step{"QUEUED", "The sandbox waits for other sandboxes to be created."}
	StepCreating = Step{"CREATING", "The sandbox is being created."}
	StepPulling  = Step{"IMAGE_PULLING", "The sandbox's image is being pulled."}
	StepStarting = Step{"STARTING", "The sandbox has been started; its daemon does not answer yet."}
)

// Notice hears of steps.
type Notice func(Step)

// Tell tells of a step. A nil Notice does not hear it.
func (n Notice) Tell(s Step) {
	if n != nil {
		n(s)
	}
}

// advance shows another step. The caller holds the lock.
func (u *tracked) advance(to Step) {
	v := *u.view.Load()
	v.status = Status{State: Pending, Reason: to.Reason, Message: to.Message, Since: v.record.CreatedAt}
	u.view.Store(&v)
}

// promise makes a create outlive its caller: it is recorded, its routes resolve, and
// requests into it wait. The caller holds the lock.
func (s *Service) promise(ctx context.Context, u *tracked) error {
	v := *u.view.Load()
	v.record.Promised = true
	if err := s.save(ctx, v.record); err != nil {
		return err
	}
	u.begun = true
	u.view.Store(&v)
	_ = s.publish(u, u.ended.Load()) // nothing could have been heard of it yet
	return nil
}

// resume goes on after a restart with a sandbox that was promised: it becomes usable if its
// container has been started, and is a failure otherwise. It returns the rest of the work,
// which releases the lock that the caller holds.
func (s *Service) resume(u *tracked) func(context.Context) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	u.abort, u.begun = cancel, true
	u.advance(StepStarting)
	_ = s.publish(u, u.ended.Load())
	return func(context.Context) {
		defer cancel(nil)
		defer s.release(u)
		begin := s.clock.Now()
		_, err := s.takeUp(ctx, u)
		_ = s.finish(ctx, u, begin, err) // its state tells
	}
}

// takeUp is what is left of make.
func (s *Service) takeUp(ctx context.Context, u *tracked) (Sandbox, error) {
	ended := u.ended.Load()
	bounded, cancel := context.WithTimeout(ctx, maxInspect)
	inst, err := s.o.Runtime.Inspect(bounded, u.id)
	cancel()
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		return Sandbox{}, err
	case err != nil || inst.StartedAt.IsZero():
		return Sandbox{}, apierror.New(http.StatusServiceUnavailable, codeClosing, "The server was restarted while the sandbox was being created. Create it again.")
	}
	return s.settle(ctx, u, inst, ended)
}

// provisional is the expiry shown until the container has started, from which it counts.
func provisional(created time.Time, timeout time.Duration) time.Time {
	if timeout <= 0 {
		return time.Time{}
	}
	return stamp(created.Add(timeout))
}
