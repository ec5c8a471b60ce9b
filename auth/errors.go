package auth

import (
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// Codes of refusals made here.
const (
	CodeMissingKey      = "MISSING_API_KEY"
	CodeInvalidKey      = "INVALID_API_KEY"
	CodeForeignOrigin   = "GENERAL::FOREIGN_ORIGIN"
	CodeMisdirectedHost = "GENERAL::MISDIRECTED_REQUEST"
	CodeTooEarly        = "GENERAL::TOO_EARLY"
	CodeUndecided       = "GENERAL::UNAUTHENTICATED_ROUTE"
)

// Undecided is the answer of every handler that is reached without a Decision, or with
// one that does not fit: the handlers in front are missing, misordered or do not agree. A
// fault of the installation, so nothing is served (threat row R2).
var Undecided = apierror.New(http.StatusInternalServerError, CodeUndecided,
	"The server is not set up to authenticate this route; its log has the cause.")

var (
	// The header is the only scheme that is accepted (contract 01 §2).
	errMissingKey = apierror.New(http.StatusUnauthorized, CodeMissingKey,
		"No API key was sent. Put it into the "+wire.DisplayAPIKey+" header.")
	errInvalidKey = apierror.New(http.StatusUnauthorized, CodeInvalidKey,
		"The API key is not valid. Check the value of the "+wire.DisplayAPIKey+" header.")
	errForeignOrigin = apierror.New(http.StatusForbidden, CodeForeignOrigin,
		"This server runs without an API key and refuses requests that a web page of another origin makes. Configure a key to allow them.")
	errTooEarly = apierror.New(http.StatusTooEarly, CodeTooEarly,
		"The request came before the TLS handshake was complete and could be a repetition by somebody else. Send it again on this connection.")
	errMisdirectedHost = apierror.New(http.StatusMisdirectedRequest, CodeMisdirectedHost,
		"This server runs without an API key and answers to addresses, localhost and configured hosts only. Add the host to the public hosts or configure a key.")
)
