package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// fail answers with err and logs it once: faults of the server as errors, the
// client's own mistakes only for debugging.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var silent *silentError
	if !errors.As(err, &silent) {
		h.logFailure(w, r, err)
	}
	apierror.Write(w, err)
}

func (h *Handler) logFailure(w http.ResponseWriter, r *http.Request, err error) {
	answer, level := apierror.From(err), slog.LevelDebug
	// 501 is a plain answer: the runtime has no such feature.
	if answer.Status >= http.StatusInternalServerError && answer.Status != http.StatusNotImplemented {
		level = slog.LevelError
		if errors.Is(r.Context().Err(), context.Canceled) {
			level = slog.LevelInfo // the client left; what then failed is its doing
		}
	}
	h.log.LogAttrs(r.Context(), level, "lifecycle request failed",
		requestID(w),
		slog.String("method", r.Method),
		slog.Int("status", answer.Status),
		slog.String("code", answer.Code),
		slog.Any("error", err))
}

// requestID is the log field that ties a line to the answer a client holds.
func requestID(w http.ResponseWriter) slog.Attr {
	return slog.String("request_id", w.Header().Get(wire.HeaderRequestID))
}

// recover turns a panic into a 500. The panic's value is logged only when the Go
// runtime made it: any other may hold what a client sent.
func (h *Handler) recover(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it like this
		panic(cause)
	}
	text := fmt.Sprintf("%T", cause)
	if fault, ok := cause.(runtime.Error); ok {
		text = fault.Error()
	}
	h.log.LogAttrs(r.Context(), slog.LevelError, "lifecycle request panicked",
		requestID(w),
		slog.String("method", r.Method),
		slog.String("panic", text),
		slog.String("stack", string(debug.Stack())))
	apierror.Write(w, apierror.New(http.StatusInternalServerError, apierror.Unknown,
		"The server failed to handle the request; its log has the cause."))
}
