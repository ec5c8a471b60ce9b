package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// A feature that is not there is no fault of the server.
func TestUnsupportedIsNoError(t *testing.T) {
	e := newEdge(t)
	wantError(t, e.do("GET", "/pools", ""), 501, "KUBERNETES::POOL_NOT_SUPPORTED")
	wantError(t, e.do("GET", "/snapshots", ""), 501, "SNAPSHOT::NOT_IMPLEMENTED")
	require.NotContains(t, e.log.String(), `"level":"ERROR"`)
}

func TestFeaturesThisRuntimeLacks(t *testing.T) {
	const pool = `{"name":"py","template":{"spec":{}},"capacitySpec":{"bufferMax":3,"bufferMin":1,"poolMax":10,"pool_min":0}}`
	for _, tc := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/pools", pool, 501, "KUBERNETES::POOL_NOT_SUPPORTED"},
		{"POST", "/pools", `{"name":"Py","template":[],"capacitySpec":{"bufferMax":-1}}`, 422, "SANDBOX::INVALID_PARAMETER"},
		{"POST", "/pools", `{}`, 422, "SANDBOX::INVALID_PARAMETER"},
		{"POST", "/pools", ``, 422, "SANDBOX::INVALID_PARAMETER"},
		{"GET", "/pools", "", 501, "KUBERNETES::POOL_NOT_SUPPORTED"},
		{"GET", "/pools/py", "", 501, "KUBERNETES::POOL_NOT_SUPPORTED"},
		{"PUT", "/pools/py", `{"capacity_spec":{"buffer_max":"3","bufferMin":1,"poolMax":10,"poolMin":0},"name":7}`, 501, "KUBERNETES::POOL_NOT_SUPPORTED"},
		{"PUT", "/pools/py", `{"capacitySpec":{"bufferMax":3}}`, 422, "SANDBOX::INVALID_PARAMETER"},
		{"PUT", "/pools/py", `[]`, 422, "SANDBOX::INVALID_PARAMETER"},
		{"DELETE", "/pools/py", "", 501, "KUBERNETES::POOL_NOT_SUPPORTED"},

		{"POST", "/sandboxes/x/snapshots", "", 501, "SNAPSHOT::NOT_IMPLEMENTED"},
		{"POST", "/sandboxes/x/snapshots", "null", 501, "SNAPSHOT::NOT_IMPLEMENTED"},
		{"POST", "/sandboxes/x/snapshots", `{"name":null,"more":1}`, 501, "SNAPSHOT::NOT_IMPLEMENTED"},
		{"POST", "/sandboxes/x/snapshots", `{"name":""}`, 422, "SANDBOX::INVALID_PARAMETER"},
		{"POST", "/sandboxes/x/snapshots", `[]`, 422, "SANDBOX::INVALID_PARAMETER"},
		{"GET", "/snapshots", "", 501, "SNAPSHOT::NOT_IMPLEMENTED"},
		{"GET", "/snapshots?pageSize=0", "", 422, "SANDBOX::INVALID_PARAMETER"},
		{"GET", "/snapshots/s", "", 501, "SNAPSHOT::NOT_IMPLEMENTED"},
		{"DELETE", "/snapshots/s", "", 501, "SNAPSHOT::NOT_IMPLEMENTED"},
	} {
		for _, mount := range []string{"", "/v1"} {
			t.Run(tc.method+" "+mount+tc.path, func(t *testing.T) {
				wantError(t, newEdge(t).do(tc.method, mount+tc.path, tc.body), tc.status, tc.code)
			})
		}
	}
	e := newEdge(t)
	a := wantError(t, e.do("POST", "/pools", `{"name":"Py","template":[],"capacitySpec":{"bufferMax":-1}}`), 422, "SANDBOX::INVALID_PARAMETER")
	require.Len(t, a.Detail, 6, "all violations at once")

	e.service.sandbox.Status.State = lifecycle.Terminated
	wantError(t, e.do("POST", "/sandboxes/x/snapshots", ""), 409, "SNAPSHOT::INVALID_SOURCE_STATE")
}
