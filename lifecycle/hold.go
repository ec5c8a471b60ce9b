package lifecycle

import (
	"context"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
)

// Snapshots resolves the snapshots that creates name. Errors are *apierror.Error.
type Snapshots interface {
	// RestoreImage is what a sandbox of a snapshot is made from.
	RestoreImage(ctx context.Context, snapshotID string) (string, error)
}

// Hold runs do while the sandbox, which runs or is paused, is neither changed nor removed:
// renewals, pauses and deletes wait. That a backend freezes it meanwhile goes unnoticed, so
// that no connection is cut for it.
func (s *Service) Hold(ctx context.Context, id string, do func(context.Context) error) error {
	if !s.gate.enter() {
		return errClosing()
	}
	defer s.gate.leave()
	u, err := s.takeLive(ctx, id)
	if err != nil {
		return err
	}
	defer s.release(u)
	if err := s.inspect(ctx, u); err != nil {
		return s.backendError(err, "SANDBOX_QUERY_FAILED", "The sandbox could not be looked up")
	}
	if u.gone {
		return s.NotFound(id)
	}
	if state := u.view.Load().status.State; state != Running && state != Paused {
		return apierror.New(http.StatusConflict, s.code("SANDBOX_NOT_RUNNING"), "The sandbox is %s; it has to be Running or Paused.", state)
	}
	return do(ctx)
}
