package api

import (
	"io"
	"net/http"
)

// health is the liveness probe: it tells that the process answers, nothing more.
func (h *Handler) health(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "healthy"})
}

// status is the gateway's liveness probe, for any method (contract 04 §7.5).
func (h *Handler) status(w http.ResponseWriter, _ *request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "OK") // it fails when the prober has left
	return nil
}

// readiness answers GET /health/ready, for callers with a key alone: which component is
// missing is nothing for strangers (threat X11), who have /health.
func (h *Handler) readiness(w http.ResponseWriter, _ *request) error {
	state := h.ready()
	answer := struct {
		Status     string            `json:"status"`
		Code       string            `json:"code,omitempty"` // every error answer has code and message
		Message    string            `json:"message,omitempty"`
		Components map[string]string `json:"components,omitempty"`
	}{Status: "ready", Components: state.Components}
	status := http.StatusOK
	if !state.Ready {
		status = http.StatusServiceUnavailable
		answer.Status, answer.Code = "not_ready", "GENERAL::NOT_READY"
		answer.Message = "The server cannot work on sandboxes yet, or at present; components names what is missing."
		w.Header().Set("Retry-After", "1")
	}
	return writeJSON(w, status, answer)
}
