package route

import (
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
)

// Codes of the errors in a Verdict. Messages never repeat what the client sent.
const (
	CodeBadAuthority     = "GENERAL::INVALID_HOST"
	CodeBadPath          = "GENERAL::INVALID_PATH"
	CodeBadRoute         = "SANDBOX::INVALID_ROUTE"
	CodeBadPort          = "DOCKER::INVALID_PORT" // the contract's code on every runtime
	CodeMisdirected      = "GENERAL::MISDIRECTED_REQUEST"
	CodeMethodNotAllowed = "GENERAL::METHOD_NOT_ALLOWED"
	CodeBadMethod        = "GENERAL::INVALID_METHOD"
	CodeBadProtocol      = "GENERAL::PROTOCOL_NOT_SUPPORTED"
)

// Made once: classification of a hostile request allocates nothing.
var (
	errAuthority = apierror.New(http.StatusBadRequest, CodeBadAuthority,
		"The request names no host or more than one. Send exactly one Host that matches the request target, without user information.")
	errPath = apierror.New(http.StatusBadRequest, CodeBadPath,
		"The path is ambiguous: it holds a dot segment, a backslash, an encoded separator or a control byte where the route is read.")
	errRepeatedHeader = apierror.New(http.StatusBadRequest, CodeBadRoute,
		"A routing header was sent more than once. Send one value.")
	errHeaderRoute = apierror.New(http.StatusBadRequest, CodeBadRoute,
		"The routing header is not of the form {sandbox-id}-{port}.")
	errHostRoute = apierror.New(http.StatusBadRequest, CodeBadRoute,
		"The host is not of the form {sandbox-id}-{port}.{domain}.")
	errNoRoute = apierror.New(http.StatusBadRequest, CodeBadRoute,
		"The request names no sandbox. Use a routing header, a sandbox host or a path /{sandbox-id}/{port}/.")
	errPort = apierror.New(http.StatusBadRequest, CodeBadPort,
		"The port is not a number from 1 to 65535 without leading zeros.")
	errMisdirected = apierror.New(http.StatusMisdirectedRequest, CodeMisdirected,
		"This host is not served here. Use a host the server is configured for.")
	errMethod = apierror.New(http.StatusMethodNotAllowed, CodeMethodNotAllowed,
		"TRACE is not supported, and CONNECT only opens WebSockets into sandboxes.")
	errBadMethod = apierror.New(http.StatusBadRequest, CodeBadMethod,
		"The method is no token.")
	errProtocol = apierror.New(http.StatusNotImplemented, CodeBadProtocol,
		"The one protocol of an extended CONNECT is websocket.") // RFC 9220 §3
)
