// Package apierror is the one error that crosses the HTTP boundary: it carries
// status, code and message (contract 01 §4), and one writer turns it into
// {"code","message"}, or into a small page for people. Every package that can fail a
// client's request returns it; nothing else writes an error body. The package imports nothing of ours.
package apierror

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// Error is a failure a client may see. Message says what to do next and holds
// neither a secret nor an internal address; Cause goes to the log only.
type Error struct {
	Status     int      // HTTP status, 400…599
	Code       string   // stable, e.g. "DOCKER::SANDBOX_NOT_FOUND"
	Message    string   // for people
	Detail     []Detail // field violations; only with status 422
	RetryAfter int      // seconds; 0 = no Retry-After header
	Cause      error    // never sent
}

// Detail is one field violation, shaped like the framework of the reference (contract 01 §4.2).
// The rejected input is deliberately absent: it may be a secret.
type Detail struct {
	Type string `json:"type"`
	Loc  []any  `json:"loc"` // "body" | "query" | "path", then names and list indexes
	Msg  string `json:"msg"`
}

// New makes an Error. The format's arguments must be fit for a client's eyes.
func New(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Because returns a copy of e that also carries the cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Retry returns a copy of e that asks the client to come back after the given seconds.
func (e *Error) Retry(seconds int) *Error {
	c := *e
	c.RetryAfter = seconds
	return &c
}

// Error implements error. It includes the cause and is meant for logs.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Code + ": " + e.Message + ": " + e.Cause.Error()
	}
	return e.Code + ": " + e.Message
}

// Unwrap gives errors.Is and errors.As the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Unknown is the code of a failure that has no better one (contract 01 §4.1).
const Unknown = "GENERAL::UNKNOWN_ERROR"

// From finds the Error in err's chain; anything else becomes a 500 that hides its text.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return New(http.StatusInternalServerError, Unknown, "The server failed to handle the request; its log has the cause.").Because(err)
}

// Answer answers with err: a small page for a person in front of a browser (Navigates),
// what Write writes for everybody else.
func Answer(w http.ResponseWriter, r *http.Request, err error) {
	if Navigates(r) {
		writePage(w, r, patient(From(err)))
		return
	}
	Write(w, err)
}

// Write answers with err. Headers already set on w stay; the body is always JSON
// with top-level "code" and "message" (contract 01 §4.3), whatever the method.
func Write(w http.ResponseWriter, err error) {
	e := patient(From(err))
	body, _ := json.Marshal(struct {
		Code    string   `json:"code"`
		Message string   `json:"message"`
		Detail  []Detail `json:"detail,omitempty"`
	}{e.Code, e.Message, e.Detail})
	write(w, e, "application/json", body)
}

// patient makes every 503 say when to come back (contract 04 D5).
func patient(e *Error) *Error {
	if e.Status == http.StatusServiceUnavailable && e.RetryAfter == 0 {
		return e.Retry(1)
	}
	return e
}

func write(w http.ResponseWriter, e *Error, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Encoding")
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	w.WriteHeader(e.Status)
	_, _ = w.Write(body)
}
