package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/store"
	"github.com/opensandbox-edge/edge/secret"
)

var _ api.Service = (*lifecycle.Service)(nil)

type answering struct{}

func (answering) Ping(context.Context, lifecycle.Daemon) error { return nil }

// newRealEdge puts the handler in front of the real service and the real store.
func newRealEdge(t *testing.T) *edge {
	t.Helper()
	records, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "records.db"))
	require.NoError(t, err)
	service, err := lifecycle.New(lifecycle.Options{
		Runtime: runtimefake.New(), Store: records, Secret: secret.New(strings.Repeat("s", 32)), Prober: answering{},
		MaxTimeout: 24 * time.Hour,
	})
	require.NoError(t, err)
	require.NoError(t, service.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waitFor)
		defer cancel()
		require.NoError(t, service.Close(ctx))
		require.NoError(t, records.Close())
	})
	return newEdge(t, func(o *api.Options) { o.Service = service })
}

// A sandbox's whole life through HTTP, as the published clients live it.
func TestLifeOfASandbox(t *testing.T) {
	e := newRealEdge(t)
	w := e.do("POST", "/v1/sandboxes", `{"image":{"uri":"python:3.11"},"timeout":3600,"resourceLimits":{"cpu":"500m","memory":"512Mi"},
		"entrypoint":["tail","-f","/dev/null"],"metadata":{"team":"ml"},"env":{"A":"1","B":null},
		"platform":{"os":"linux","arch":"amd64"},"secureAccess":false,"extensions":{}}`)
	require.Equal(t, 202, w.Code, w.Body.String())
	require.NotContains(t, w.Body.String(), "null,")
	var sandbox struct {
		ID         string
		Status     struct{ State, Reason string }
		Metadata   map[string]string
		Entrypoint []string
		ExpiresAt  time.Time
		CreatedAt  time.Time
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &sandbox))
	require.Equal(t, "Running", sandbox.Status.State)
	require.Equal(t, []string{"tail", "-f", "/dev/null"}, sandbox.Entrypoint)
	path := "/v1/sandboxes/" + sandbox.ID

	w = e.do("GET", path, "")
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), `"image":{"uri":"python:3.11"}`)

	// What every client asks next.
	for _, port := range []string{"44772", "18080"} {
		w = e.do("GET", path+"/endpoints/"+port, "")
		require.Equal(t, 200, w.Code)
		require.Contains(t, w.Body.String(), `"endpoint":"edge.example.com:8080/v1/sandboxes/`+sandbox.ID+`/proxy/`+port+`"`)
		require.Equal(t, port == "44772", strings.Contains(w.Body.String(), "X-EXECD-ACCESS-TOKEN"))
	}

	w = e.do("PATCH", path+"/metadata", `{"stage":"x","team":null}`)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Contains(t, w.Body.String(), `"metadata":{"stage":"x"}`)
	wantError(t, e.do("PATCH", path+"/metadata", `{"opensandbox.io/id":null}`), 400, "INVALID_METADATA_LABEL")
	wantError(t, e.do("PATCH", path+"/metadata", `{"a":"not a label!"}`), 400, "SANDBOX::INVALID_METADATA_LABEL")
	w = e.do("GET", "/v1/sandboxes?state=running&metadata=stage%3Dx", "")
	require.Contains(t, w.Body.String(), `"totalItems":1`)
	w = e.do("GET", "/v1/sandboxes?metadata=stage%253Dx", "")
	wantError(t, w, 400, "INVALID_METADATA_FORMAT")
	w = e.do("GET", "/v1/sandboxes?metadata=team%3Dml", "")
	require.Contains(t, w.Body.String(), `"items":[],"pagination":{"page":1,"pageSize":20,"totalItems":0,"totalPages":0,"hasNextPage":false}`)

	earlier := sandbox.ExpiresAt.Add(-30 * time.Minute).UTC().Format("2006-01-02 15:04:05.000000000")
	w = e.do("POST", path+"/renew-expiration", fmt.Sprintf(`{"expiresAt":%q}`, earlier))
	require.Equal(t, 200, w.Code, w.Body.String())
	wantError(t, e.do("POST", path+"/renew-expiration", `{"expiresAt":1000}`), 400, "DOCKER::INVALID_EXPIRATION")

	wantError(t, e.do("POST", path+"/resume", ""), 409, "DOCKER::SANDBOX_NOT_PAUSED")
	require.Equal(t, 202, e.do("POST", path+"/pause", "").Code)
	wantError(t, e.do("POST", path+"/pause", ""), 409, "DOCKER::SANDBOX_NOT_RUNNING")
	require.Contains(t, e.do("GET", path, "").Body.String(), `"state":"Paused"`)
	require.Equal(t, 202, e.do("POST", path+"/resume", "").Code)

	require.Equal(t, http.StatusNoContent, e.do("DELETE", path, "").Code)
	for _, again := range []struct{ method, path, body string }{
		{"DELETE", path, ""},
		{"GET", path, ""},
		{"GET", path + "/endpoints/44772", ""},
		{"PATCH", path + "/metadata", "{}"},
		{"POST", path + "/pause", ""},
		{"POST", path + "/resume", ""},
		{"POST", path + "/renew-expiration", `{"expiresAt":"2099-01-01T00:00:00Z"}`},
		{"POST", path + "/snapshots", ""},
	} {
		wantError(t, e.do(again.method, again.path, again.body), 404, "DOCKER::SANDBOX_NOT_FOUND")
	}
	require.Equal(t, 200, e.do("GET", "/health/ready", "").Code)
}

// The rules of the service, reached through HTTP.
func TestServiceRules(t *testing.T) {
	e := newRealEdge(t)
	for body, code := range map[string]string{
		with(`"extensions":{"access.renew.extend.seconds":"10"}`):                       "SANDBOX::INVALID_PARAMETER",
		`{"extensions":{"poolRef":"py"}}`:                                               "SANDBOX::UNSUPPORTED_POOL_REF",
		with(`"metadata":{"opensandbox.io/x":"y"}`):                                     "SANDBOX::INVALID_METADATA_LABEL",
		with(`"platform":{"os":"plan9","arch":"amd64"}`):                                "SANDBOX::INVALID_PARAMETER",
		with(`"timeout":1e300`):                                                         "SANDBOX::INVALID_PARAMETER",
		with(`"timeout":86401`):                                                         "SANDBOX::INVALID_PARAMETER",
		with(`"secureAccess":true`):                                                     "SANDBOX::INVALID_PARAMETER",
		with(`"networkPolicy":{}`):                                                      "SANDBOX::INVALID_PARAMETER",
		with(`"volumes":[{"name":"v","mountPath":"/v","host":{"path":"/etc"}}]`):        "SANDBOX::INVALID_PARAMETER",
		`{"image":{"uri":"../containers/x"},"entrypoint":["x"],"resourceLimits":{}}`:    "SANDBOX::INVALID_PARAMETER",
		`{"image":{"uri":"a"},"entrypoint":["x"],"resourceLimits":{"memory":"plenty"}}`: "SANDBOX::INVALID_PARAMETER",
		with(`"platform":{"os":"windows","arch":"amd64"}`):                              "SANDBOX::INVALID_PARAMETER",
	} {
		wantError(t, e.do("POST", "/v1/sandboxes", body), 400, code)
	}
	wantError(t, e.do("POST", "/v1/sandboxes", `{"snapshotId":"gone","resourceLimits":{}}`), 404, "SNAPSHOT::NOT_FOUND")

	w := e.do("POST", "/v1/sandboxes", createBody)
	require.Equal(t, 202, w.Code)
	require.NotContains(t, w.Body.String(), "expiresAt", "no timeout: manual cleanup")
	var sandbox struct{ ID string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &sandbox))
	wantError(t, e.do("POST", "/v1/sandboxes/"+sandbox.ID+"/renew-expiration", `{"expiresAt":"2099-01-01"}`), 409, "DOCKER::INVALID_EXPIRATION")
	require.Equal(t, 204, e.do("DELETE", "/v1/sandboxes/"+sandbox.ID, "").Code)
}
