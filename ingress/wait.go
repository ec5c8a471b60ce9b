package ingress

import (
	"context"
	"errors"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// errWaited is the cause when a request has waited as long as it may.
var errWaited = errors.New("the sandbox was not ready in time")

// wait holds a request that was granted access until its sandbox takes requests. What
// is true then is looked up and decided anew, access included. unready is the answer
// when it does not come to that. Nothing is touched before (threat row A7).
func (x *exchange) wait(unready error) error {
	if x.Waiting == nil || x.Wait <= 0 || !x.comes() {
		return unready
	}
	leave, ok := x.Waiting.seat(x.route.SandboxID, x.MaxWaiting)
	if !ok {
		x.Metrics.waited("full")
		return x.notReady()
	}
	defer leave()
	x.lift() // the server's stall timeouts: this request is silent because we are

	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	defer context.AfterFunc(x.Waiting.ctx, func() { cancel(upstream.ErrClosed) })()
	ctx, stop := context.WithTimeoutCause(ctx, x.Wait, errWaited)
	defer stop()
	resumed := false
	for {
		if !resumed && x.entry.State == lifecycle.Paused {
			if turn := x.Waiting.resumed(x.entry); turn != nil {
				resumed = true
				defer context.AfterFunc(turn, func() {
					if cause := context.Cause(turn); !errors.Is(cause, errResumed) {
						cancel(&resumeError{cause})
					}
				})()
			}
		}
		waited := x.Waiting.changes.Await(ctx, x.route.SandboxID, x.entry)
		if waited != nil {
			return x.gaveUp(waited, unready)
		}
		granted, err := x.admit()
		switch {
		case err == nil:
			x.Metrics.waited("ready")
			return nil
		case !granted:
			x.Metrics.waited("refused")
			return err
		case !x.comes():
			x.Metrics.waited("ended")
			return err
		}
		unready = err
	}
}

// comes tells whether the sandbox may take requests soon without anybody else's doing.
func (x *exchange) comes() bool {
	switch e := x.entry; e.State {
	case lifecycle.Pending, lifecycle.Resuming, lifecycle.Unknown:
		return true
	case lifecycle.Running:
		return !e.Address.IsValid() && len(e.Published) == 0 // else it has no such port
	case lifecycle.Paused, lifecycle.Pausing:
		return x.AutoResume && x.Waiting.resume != nil && !x.isProbe() // no probe wakes anybody
	}
	return false
}

// gaveUp is the answer to a request that waited in vain.
func (x *exchange) gaveUp(cause, unready error) error {
	var failed *resumeError
	switch {
	case x.r.Context().Err() != nil:
		x.Metrics.waited("left")
		return errClientGone
	case errors.As(cause, &failed):
		x.Metrics.waited("resume_failed")
		return apierror.New(http.StatusServiceUnavailable, x.CodePrefix+"::SANDBOX_RESUME_FAILED",
			"The sandbox is paused and could not be resumed. Try again later.").Because(failed.cause).Retry(5)
	}
	x.Metrics.waited("timeout")
	return unready
}

// resumeError is the cause when a resume failed.
type resumeError struct{ cause error }

func (e *resumeError) Error() string { return "resume: " + e.cause.Error() }
func (e *resumeError) Unwrap() error { return e.cause }
