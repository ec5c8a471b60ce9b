package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/opensandbox-edge/edge/apierror"
)

// The codes that carry no runtime's name (contract 01 §16).
const (
	codeInvalidParameter = "SANDBOX::INVALID_PARAMETER"
	codeInvalidLabel     = "SANDBOX::INVALID_METADATA_LABEL"
	codeReservedLabel    = "INVALID_METADATA_LABEL" // patch only
	codePoolRef          = "SANDBOX::UNSUPPORTED_POOL_REF"
	codeNoSnapshot       = "SNAPSHOT::NOT_FOUND"
	codeTooMany          = "SANDBOX::TOO_MANY_SANDBOXES"
	codeClosing          = "GENERAL::SERVER_STOPPING"

	// These two name Docker on every runtime.
	codeInvalidExpiration = "DOCKER::INVALID_EXPIRATION"
	codeInvalidEntrypoint = "DOCKER::INVALID_ENTRYPOINT"
)

func invalid(format string, args ...any) *apierror.Error {
	return apierror.New(http.StatusBadRequest, codeInvalidParameter, format, args...)
}

// code puts the runtime's name before a code.
func (s *Service) code(name string) string {
	return strings.ToUpper(s.o.Runtime.Name()) + "::" + name
}

// NotFound is the answer to an unknown id.
func (s *Service) NotFound(id string) *apierror.Error {
	return apierror.New(http.StatusNotFound, s.code("SANDBOX_NOT_FOUND"), "There is no sandbox %q.", apierror.Clip(id))
}

// backendError gives an error of the runtime a code, unless it has one.
func (s *Service) backendError(err error, name, message string) error {
	var typed *apierror.Error
	switch {
	case errors.Is(err, ErrClosed):
		return errClosing().Because(err)
	case errors.Is(err, errDeleted):
		return apierror.New(http.StatusConflict, s.code(name), "The sandbox was deleted while it was being created.").Because(err)
	case errors.As(err, &typed):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return apierror.New(http.StatusInternalServerError, s.code(name), "%s: the backend did not answer in time.", message).Because(err)
	}
	return apierror.New(http.StatusInternalServerError, s.code(name), "%s. The server's log has the cause.", message).Because(err)
}

// waitError is the answer when a caller's turn did not come in time.
func (s *Service) waitError(err error) error {
	if errors.Is(err, ErrClosed) {
		return errClosing().Because(err)
	}
	return apierror.New(http.StatusServiceUnavailable, apierror.Unknown, "Another operation on the sandbox takes long. Try again.").Because(err).Retry(1)
}

// storeError is the answer when a write that had to be durable was not.
func storeError(err error) error {
	return apierror.New(http.StatusInternalServerError, apierror.Unknown,
		"The server could not save the change, so nothing was changed. Its log has the cause.").Because(err)
}

// ErrClosed is the cause of work that ended because the service was closed.
var ErrClosed = errors.New("the service is closed")

func errClosing() *apierror.Error {
	return apierror.New(http.StatusServiceUnavailable, codeClosing, "The server is stopping or not started yet. Try again.").Retry(1)
}
