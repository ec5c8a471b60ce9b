package ingress

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Codes of errors made here. SANDBOX_NOT_FOUND, SANDBOX_NOT_READY and
// SANDBOX_NOT_RUNNING follow the runtime's prefix, e.g. "DOCKER::SANDBOX_NOT_FOUND".
const (
	CodeConnectionFailed   = "BACKEND_CONNECTION_FAILED"
	CodeResponseTimeout    = "BACKEND_RESPONSE_TIMEOUT"
	CodeRedirectRefused    = "BACKEND_REDIRECT_REFUSED"
	CodeMissingExecdToken  = "MISSING_EXECD_ACCESS_TOKEN"
	CodeInvalidExecdToken  = "INVALID_EXECD_ACCESS_TOKEN"
	CodeSignedNotSupported = "SANDBOX::API_NOT_SUPPORTED"
	CodeKeyInQuery         = "GENERAL::CREDENTIAL_IN_QUERY"
	CodeBadQuery           = "GENERAL::INVALID_QUERY"
	CodeNotFound           = "GENERAL::NOT_FOUND"
)

var (
	errNotSandbox = apierror.New(http.StatusNotFound, CodeNotFound, "There is nothing here.")
	errSigned     = apierror.New(http.StatusBadRequest, CodeSignedNotSupported,
		"Signed routes are not supported by this server yet. Use the unsigned endpoint of the sandbox.")
	errKeyInQuery = apierror.New(http.StatusBadRequest, CodeKeyInQuery,
		"The query holds an API key, which must not reach a sandbox. Remove it.")
	errBadQuery = apierror.New(http.StatusBadRequest, CodeBadQuery,
		"The query holds bytes that must be percent-encoded.")
	errBadUpgrade = apierror.New(http.StatusBadRequest, apierror.Unknown,
		"This is no valid WebSocket handshake: it must be a GET without a body, with Connection: Upgrade, over HTTP/1.1.")
	errMissingToken = apierror.New(http.StatusUnauthorized, CodeMissingExecdToken,
		"This port needs the sandbox's access token. Send the headers that the endpoint API returned.")
	errInvalidToken = apierror.New(http.StatusUnauthorized, CodeInvalidExecdToken,
		"The access token is not the one of this sandbox. Send the headers that the endpoint API returned.")
	errRedirect = apierror.New(http.StatusBadGateway, CodeRedirectRefused,
		"The sandbox answered with a redirect out of its own route. It was withheld because the client could take its credentials along.")
	errConnection = apierror.New(http.StatusBadGateway, CodeConnectionFailed,
		"No connection to this port of the sandbox. Check that a process listens on it, on all addresses.")
	errBrokenAnswer = apierror.New(http.StatusBadGateway, CodeConnectionFailed,
		"The sandbox closed the connection or sent no valid HTTP answer.")
	errTimeout = apierror.New(http.StatusGatewayTimeout, CodeResponseTimeout,
		"The sandbox did not begin to answer in time.")
)

// errClientGone is the cause when the client left first: nobody is there to be answered.
var errClientGone = errors.New("the client closed the request")

// dialError marks failures before any byte of the request was sent.
type dialError struct{ err error }

func (e *dialError) Error() string { return "dial: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

func isDial(err error) bool {
	var dial *dialError
	return errors.As(err, &dial)
}

// failure turns what the round trip returned into what the client is told.
func failure(err error) *apierror.Error {
	var typed *apierror.Error
	if errors.As(err, &typed) {
		return typed
	}
	if isDial(err) {
		return errConnection.Because(err)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errTimeout.Because(err)
	}
	return errBrokenAnswer.Because(err)
}

// outdated tells errors that mean "look the sandbox up again".
func outdated(err error, e *lifecycle.Entry) bool {
	return errors.Is(err, lifecycle.ErrStale) || e.Ctx.Err() != nil ||
		errors.Is(err, lifecycle.ErrReplaced) || errors.Is(err, lifecycle.ErrNotRunning) || errors.Is(err, lifecycle.ErrGone)
}

// ended is the cause with which the entry's generation ended.
func ended(e *lifecycle.Entry) error { return context.Cause(e.Ctx) }
