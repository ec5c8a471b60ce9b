package docker

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/containerd/errdefs"

	"github.com/opensandbox-edge/edge/apierror"
)

// Codes of contract 02 §19 that this package answers with.
const (
	codeInitialization    = "DOCKER::INITIALIZATION_ERROR"
	codeQueryFailed       = "DOCKER::SANDBOX_QUERY_FAILED"
	codePullFailed        = "DOCKER::SANDBOX_IMAGE_PULL_FAILED"
	codeStartFailed       = "DOCKER::SANDBOX_START_FAILED"
	codeExecdStart        = "DOCKER::SANDBOX_EXECD_START_FAILED"
	codeExecdDistribution = "DOCKER::SANDBOX_EXECD_DISTRIBUTION_FAILED"
	codeDeleteFailed      = "DOCKER::SANDBOX_DELETE_FAILED"
	codePauseFailed       = "DOCKER::SANDBOX_PAUSE_FAILED"
	codeResumeFailed      = "DOCKER::SANDBOX_RESUME_FAILED"
	codeNotRunning        = "DOCKER::SANDBOX_NOT_RUNNING"
	codeNotPaused         = "DOCKER::SANDBOX_NOT_PAUSED"
	codeInvalidEntrypoint = "DOCKER::INVALID_ENTRYPOINT"
	codeInvalidParameter  = "SANDBOX::INVALID_PARAMETER"
	codeAPINotSupported   = "SANDBOX::API_NOT_SUPPORTED"
)

// retryEngine is when a client may try again while the engine is down, in seconds.
const retryEngine = 5

// engineError turns a failure of an engine call into a typed error. The engine's own
// text goes to the cause, never to the client: it may quote addresses and paths.
// A cancelled caller and a typed error pass as they are.
func engineError(ctx context.Context, err error, code, doing string) error {
	var typed *apierror.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typed):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return apierror.New(http.StatusInternalServerError, code,
			"The container engine did not answer in time while %s; try again, or raise docker.api_timeout.", doing).Because(err)
	case unreachable(err):
		return apierror.New(http.StatusServiceUnavailable, code,
			"The container engine could not be reached while %s; check that it runs and that the server may use its socket.", doing).Because(err).Retry(retryEngine)
	}
	return apierror.New(http.StatusInternalServerError, code,
		"The container engine failed while %s; the server's log has its answer.", doing).Because(err)
}

// unreachable tells a broken connection from an answer of the engine.
func unreachable(err error) bool {
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) || errdefs.IsInvalidArgument(err) || errdefs.IsInternal(err) {
		return false
	}
	return connectionFailed(err)
}

// invalidParameter is a 400 for something the request asked for.
func invalidParameter(format string, args ...any) *apierror.Error {
	return apierror.New(http.StatusBadRequest, codeInvalidParameter, format, args...)
}

// limitRefusal recognises the engine's refusals of resource wishes, which must be
// the client's 400 and not our 500 (contract 02 §21.21). The engine has no codes for
// them, so its text is the only evidence; it decides wording, never control flow.
func limitRefusal(err error) error {
	if err == nil {
		return nil
	}
	text := strings.ToLower(err.Error())
	switch {
	case strings.Contains(text, "range of cpus"), strings.Contains(text, "nanocpus"):
		return invalidParameter("resourceLimits.cpu asks for more than the host has, or for less than 0.01 cores.").Because(err)
	case strings.Contains(text, "memory limit"):
		return invalidParameter("resourceLimits.memory was refused by the container engine: it is below its minimum or above what the host has.").Because(err)
	case strings.Contains(text, "could not select device driver"):
		return invalidParameter("resourceLimits.gpu cannot be met: the container engine has no GPU driver.").Because(err)
	}
	return nil
}
