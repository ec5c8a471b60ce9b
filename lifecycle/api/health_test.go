package api_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle"
)

const (
	waitFor = time.Minute
	tick    = time.Millisecond
)

func TestHealth(t *testing.T) {
	e := newEdge(t)
	e.service.ready = lifecycle.Readiness{}
	for _, method := range []string{"GET", "HEAD"} {
		w := e.do(method, "/health", "", header{"OPEN-SANDBOX-API-KEY": ""})
		require.Equal(t, 200, w.Code)
		require.Equal(t, `{"status":"healthy"}`, w.Body.String(), "net/http drops it for HEAD")
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	}
	require.Empty(t, e.service.calls, "liveness looks at nothing else")
}

func TestStatus(t *testing.T) {
	e := newEdge(t)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
		w := e.do(method, "/status.ok", "", header{"OPEN-SANDBOX-API-KEY": ""})
		require.Equal(t, 200, w.Code, method)
		require.Equal(t, "OK", w.Body.String())
		require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
	}
	require.Empty(t, e.service.calls)
	wantError(t, e.do("GET", "/v1/status.ok", ""), 404, "GENERAL::NOT_FOUND")
}

func TestReadiness(t *testing.T) {
	e := newEdge(t)
	w := e.do("GET", "/health/ready", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, `{"status":"ready","components":{"store":"ok"}}`, w.Body.String())

	e.service.ready = lifecycle.Readiness{Components: map[string]string{"runtime": "unreachable"}}
	w = e.do("GET", "/health/ready", "")
	wantError(t, w, 503, "GENERAL::NOT_READY")
	require.Contains(t, w.Body.String(), `"components":{"runtime":"unreachable"}`)
	require.Equal(t, "1", w.Header().Get("Retry-After"))

	// It is the key's, whatever the handlers in front decided.
	wantError(t, e.do("GET", "/health/ready", "", header{"OPEN-SANDBOX-API-KEY": ""}), 401, "MISSING_API_KEY")
	r := httptest.NewRequest("GET", "/health/ready", nil)
	r = r.WithContext(auth.NewContext(r.Context(), &auth.Decision{Route: route.Verdict{Class: route.Public}}))
	w = httptest.NewRecorder()
	e.api.ServeHTTP(w, r)
	wantError(t, w, 500, "GENERAL::UNAUTHENTICATED_ROUTE")
	wantError(t, e.do("GET", "/v1/health/ready", ""), 404, "GENERAL::NOT_FOUND")
}
