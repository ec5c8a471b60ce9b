package ingress

import (
	"errors"
	"net"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/access"
	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Codes of errors made here. SANDBOX_NOT_FOUND, SANDBOX_NOT_READY and
// SANDBOX_NOT_RUNNING follow the runtime's prefix, e.g. "DOCKER::SANDBOX_NOT_FOUND".
const (
	CodeConnectionFailed  = "BACKEND_CONNECTION_FAILED"
	CodeResponseTimeout   = "BACKEND_RESPONSE_TIMEOUT"
	CodeRedirectRefused   = "BACKEND_REDIRECT_REFUSED"
	CodeMissingExecdToken = "MISSING_EXECD_ACCESS_TOKEN"
	CodeInvalidExecdToken = "INVALID_EXECD_ACCESS_TOKEN"
	CodeKeyInQuery        = "GENERAL::CREDENTIAL_IN_QUERY"
	CodeBadQuery          = "GENERAL::INVALID_QUERY"
	CodeBadBody           = "GENERAL::INVALID_BODY"
	CodeNotFound          = "GENERAL::NOT_FOUND"
	CodeCrossSite         = "GENERAL::CROSS_SITE_REQUEST"
	CodeWorkerScript      = "GENERAL::WORKER_SCRIPT_REFUSED"
)

// Codes of refused access.
const (
	CodeSecureAccess      = "MISSING_OR_INVALID_SECURE_ACCESS"
	CodeInvalidSignature  = "INVALID_SIGNATURE"
	CodeExpiredSignature  = "SIGNATURE_EXPIRED"
	CodeNoVerifier        = "VERIFIER_NOT_CONFIGURED"
	CodeSignaturesLimited = "TOO_MANY_INVALID_SIGNATURES"
)

var (
	errNotSandbox = apierror.New(http.StatusNotFound, CodeNotFound, "There is nothing here.")
	errKeyInQuery = apierror.New(http.StatusBadRequest, CodeKeyInQuery,
		"The query holds an API key, which must not reach a sandbox. Remove it.")
	errBadQuery = apierror.New(http.StatusBadRequest, CodeBadQuery,
		"The query holds bytes that must be percent-encoded.")
	errBadBody = apierror.New(http.StatusBadRequest, CodeBadBody,
		"The body is not in chunks as HTTP/1.1 has them (RFC 9112 §7.1), so it was not carried to its end.")
	errCrossSite = apierror.New(http.StatusForbidden, CodeCrossSite,
		"A page of another site made this request with your cookies. Open the application itself, or have the operator set ingress.cross_site = \"allow\".")
	errWorker = apierror.New(http.StatusForbidden, CodeWorkerScript,
		"Service workers are not available here, because several sandboxes share this web origin. Use a wildcard route.")
	errBadLength = apierror.New(http.StatusBadRequest, apierror.Unknown,
		"The Content-Length is not the length of the body.")
	errOptions = apierror.New(http.StatusBadRequest, apierror.Unknown,
		"The Connection field has more than 32 options. Name fewer fields there.")
	errBadUpgrade = apierror.New(http.StatusBadRequest, apierror.Unknown,
		"This is no valid WebSocket handshake: it is a GET without a body, with Connection: Upgrade, one Sec-WebSocket-Key and Sec-WebSocket-Version: 13, over HTTP/1.1, and an extended CONNECT without a length over HTTP/2 and HTTP/3.")
	errMissingToken = apierror.New(http.StatusUnauthorized, CodeMissingExecdToken,
		"This port needs the sandbox's access token. Send the headers that the endpoint API returned.")
	errInvalidToken = apierror.New(http.StatusUnauthorized, CodeInvalidExecdToken,
		"The access token is not the one of this sandbox. Send the headers that the endpoint API returned.")
	errRedirect = apierror.New(http.StatusBadGateway, CodeRedirectRefused,
		"The sandbox answered with a redirect out of its own route. It was withheld because the client could take its credentials along.")
	errConnection = apierror.New(http.StatusBadGateway, CodeConnectionFailed,
		"No connection to this port of the sandbox. Check that a process listens on it, on all addresses.")
	errPortOutOfReach = apierror.New(http.StatusBadGateway, CodeConnectionFailed,
		"This server does not connect to that port of the sandbox. Ask the endpoint API for the port's address, which leads there by way of execd.")
	errBrokenAnswer = apierror.New(http.StatusBadGateway, CodeConnectionFailed,
		"The sandbox closed the connection or sent no valid HTTP answer.")
	errTimeout = apierror.New(http.StatusGatewayTimeout, CodeResponseTimeout,
		"The sandbox did not begin to answer in time.")
)

// refusals are what clients are told; the beginnings are the contract's texts. One status
// stands for right and wrong signatures alike while they are withheld: 429, because the
// same request may well succeed later.
var refusals = [access.Answers]*apierror.Error{
	access.HeaderMismatch: apierror.New(http.StatusUnauthorized, CodeSecureAccess,
		"signature: secure access header mismatch. Send the OpenSandbox-Secure-Access header that the endpoint API returned for this sandbox."),
	access.SignatureRequired: apierror.New(http.StatusUnauthorized, CodeSecureAccess,
		"signature: signature required for this sandbox. Send the headers that the endpoint API returned, or ask it for a signed route with expires."),
	access.NoKeys: apierror.New(http.StatusServiceUnavailable, CodeNoVerifier,
		"signature: ingress verifier not configured. This server has no signing keys; send the OpenSandbox-Secure-Access header instead."),
	access.Expired: apierror.New(http.StatusUnauthorized, CodeExpiredSignature,
		"signature: access expired. Ask the endpoint API for a new signed route."),
	access.TooFar: apierror.New(http.StatusUnauthorized, CodeInvalidSignature,
		"signature: unauthorized: it expires later than this server allows. Ask the endpoint API for a new signed route."),
	access.UnknownKey: apierror.New(http.StatusUnauthorized, CodeInvalidSignature,
		"signature: unauthorized: unknown signed_key_id. Ask the endpoint API for a new signed route."),
	access.SignatureMismatch: apierror.New(http.StatusUnauthorized, CodeInvalidSignature,
		"signature: unauthorized: signature mismatch. Ask the endpoint API for a new signed route."),
	access.Withheld: apierror.New(http.StatusTooManyRequests, CodeSignaturesLimited,
		"Too many invalid signatures were tried. Try again after the time in Retry-After."),
}

// errClientGone is the cause when the client left first: nobody is there to be answered.
var errClientGone = errors.New("the client closed the request")

func isDial(err error) bool {
	var dial *upstream.DialError
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
	return errors.Is(err, lifecycle.ErrStale) || e.Ended() != nil ||
		errors.Is(err, lifecycle.ErrReplaced) || errors.Is(err, lifecycle.ErrNotRunning) || errors.Is(err, lifecycle.ErrGone)
}
