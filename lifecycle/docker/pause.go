package docker

import (
	"context"
	"net/http"

	"github.com/containerd/errdefs"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Pause implements lifecycle.Runtime: the processes are frozen, memory is kept. A
// sandbox that does not run, or is paused already, is a 409 (contract 02 §12.2, §21.12).
func (r *Runtime) Pause(ctx context.Context, id string) error {
	notRunning := apierror.New(http.StatusConflict, codeNotRunning, "Only a running sandbox can be paused; this one is not running.")
	return r.freeze(ctx, id, transition{
		allowed: lifecycle.Running, refused: notRunning, call: r.engine.ContainerPause,
		code: codePauseFailed, doing: "pausing the sandbox",
	})
}

// Resume implements lifecycle.Runtime. A sandbox that is not paused is a 409.
func (r *Runtime) Resume(ctx context.Context, id string) error {
	notPaused := apierror.New(http.StatusConflict, codeNotPaused, "Only a paused sandbox can be resumed; this one is not paused.")
	return r.freeze(ctx, id, transition{
		allowed: lifecycle.Paused, refused: notPaused, call: r.engine.ContainerUnpause,
		code: codeResumeFailed, doing: "resuming the sandbox",
	})
}

// transition is a change from one state that the engine makes with one call.
type transition struct {
	allowed     lifecycle.State
	refused     *apierror.Error
	call        func(ctx context.Context, containerID string) error
	code, doing string
}

func (r *Runtime) freeze(ctx context.Context, id string, t transition) error {
	c, err := r.inspect(ctx, id)
	if err != nil {
		return err
	}
	if inspectState(c.State).toStatus(engineTime(c.Created)).State != t.allowed {
		return t.refused
	}
	call, cancel := r.call(context.WithoutCancel(ctx))
	defer cancel()
	err = t.call(call, c.ID)
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err):
		return lifecycle.ErrNotFound
	}
	// The state may have changed between look and call; then the conflict is the truth,
	// whatever status the engine chose for it.
	if now, inspectErr := r.inspect(ctx, id); inspectErr == nil &&
		inspectState(now.State).toStatus(engineTime(now.Created)).State != t.allowed {
		return t.refused.Because(err)
	}
	return engineError(ctx, err, t.code, t.doing)
}
