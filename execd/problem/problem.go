// Package problem holds the error codes of the daemon's API (contract 06 §2) and
// one constructor for each way a request can fail. The errors it makes are
// *apierror.Error and are written by apierror.Write alone.
package problem

import (
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
)

// The codes of contract 06 §2, and ours where the contract leaves them open.
const (
	InvalidRequestBody  = "INVALID_REQUEST_BODY"
	MissingQuery        = "MISSING_QUERY"
	RuntimeError        = "RUNTIME_ERROR"
	InvalidFile         = "INVALID_FILE"
	InvalidFileContent  = "INVALID_FILE_CONTENT"
	InvalidFileMetadata = "INVALID_FILE_METADATA"
	FileNotFound        = "FILE_NOT_FOUND"
	CommandNotFound     = "COMMAND_NOT_FOUND"
	UnknownCode         = "UNKNOWN" // malformed or unsatisfiable Range
	Unauthorized        = "UNAUTHORIZED"
	NotFound            = "NOT_FOUND"
	MethodNotAllowed    = "METHOD_NOT_ALLOWED"
)

// Invalid is a 400: the request itself is wrong.
func Invalid(format string, args ...any) *apierror.Error {
	return apierror.New(http.StatusBadRequest, InvalidRequestBody, format, args...)
}

// Missing is a 400: a required query parameter is absent.
func Missing(name string) *apierror.Error {
	return apierror.New(http.StatusBadRequest, MissingQuery, "The query parameter %q is required.", name)
}

// Runtime is a 500: carrying out the request failed. The text of err is shown;
// it speaks of the sandbox's own files and processes.
func Runtime(doing string, err error) *apierror.Error {
	return apierror.New(http.StatusInternalServerError, RuntimeError, "error %s: %s", doing, err).Because(err)
}

// NoFile is a 404 on a path.
func NoFile(path string) *apierror.Error {
	return apierror.New(http.StatusNotFound, FileNotFound, "file not found: %s", path)
}
