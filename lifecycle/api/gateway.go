package api

import (
	"log/slog"
	"net/http"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// errNoLifecycle answers requests for the API at a process that only carries traffic.
var errNoLifecycle = apierror.New(http.StatusNotFound, "GENERAL::NOT_FOUND",
	"This server is a gateway into sandboxes and has no lifecycle API. Send the request to the lifecycle server.")

// NewGateway makes the Handler of a process without a lifecycle role: health, readiness,
// and a clear answer to everything else. Options.Service is not used.
func NewGateway(o Options, ready func() lifecycle.Readiness) *Handler {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	h := &Handler{options: o, log: o.Log, ready: ready, absent: errNoLifecycle}
	h.table = newTable(h.probes())
	return h
}

// probes are what every process answers, whatever its role.
func (h *Handler) probes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/health", public, h.health},
		{http.MethodHead, "/health", public, h.health},
		{anyMethod, "/status.ok", public, h.status},
		{http.MethodGet, "/health/ready", monitoring, h.readiness},
		{http.MethodHead, "/health/ready", monitoring, h.readiness},
	}
}
