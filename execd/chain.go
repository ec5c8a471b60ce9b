package execd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/problem"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// chain is the order every request goes through, matched or not (contract 06 §2):
// request id, log and panic recovery, access token, proxy prefix, routes.
func (s *Server) chain() http.Handler {
	return s.observe(s.authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if raw := rawPath(r); raw == "/proxy" || strings.HasPrefix(raw, "/proxy/") {
			s.proxy.ServePath(w, r, strings.TrimPrefix(raw, "/proxy"))
			return
		}
		s.route(w, r)
	})))
}

// rawPath is the path as it was sent, without the repairs of package url.
func rawPath(r *http.Request) string {
	if r.URL.RawPath != "" {
		return r.URL.RawPath
	}
	return r.URL.EscapedPath()
}

type requestIDKey struct{}

// observe gives the request its id, keeps a panic from ending the daemon, and
// logs. The query is never logged: on proxied paths it may carry credentials.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := wire.RequestID(r.Header.Get(wire.HeaderRequestID))
		r.Header.Set(wire.HeaderRequestID, id)
		w.Header().Set(wire.HeaderRequestID, id)
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		watched := &statusWriter{ResponseWriter: w}
		began := time.Now()
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p) // the agreed way to cut a response short
				}
				s.log.Error("panic in a handler", "request_id", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if watched.status != 0 {
					panic(http.ErrAbortHandler) // half an answer must not look like a whole one
				}
				apierror.Write(watched, apierror.New(http.StatusInternalServerError, problem.RuntimeError, "The daemon failed to handle the request."))
			}
			level := slog.LevelDebug
			if watched.status >= http.StatusInternalServerError {
				level = slog.LevelWarn
			}
			s.log.Log(r.Context(), level, "request", "method", r.Method, "path", r.URL.Path,
				"status", watched.status, "duration", time.Since(began), "request_id", id)
		}()
		next.ServeHTTP(watched, r)
	})
}

// statusWriter remembers the status. Unwrap keeps flushing, hijacking and
// deadlines reachable through http.ResponseController.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
