package api_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/pools"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/store"
	"github.com/opensandbox-edge/edge/secret"
)

// newPooledEdge is a real edge whose runtime has pools.
func newPooledEdge(t *testing.T) *edge {
	t.Helper()
	records, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "records.db"))
	require.NoError(t, err)
	set, err := pools.Open(t.Context(), pools.Options{Store: records, Pace: time.Millisecond})
	require.NoError(t, err)
	service, err := lifecycle.New(lifecycle.Options{
		Runtime: runtimefake.New(), Store: records, Pools: set, Secret: secret.New(strings.Repeat("s", 32)), Prober: answering{},
	})
	require.NoError(t, err)
	require.NoError(t, service.Start(t.Context()))
	set.Start(service)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), waitFor)
		defer cancel()
		set.Close()
		require.NoError(t, service.Close(ctx))
		require.NoError(t, records.Close())
	})
	return newEdge(t, func(o *api.Options) { o.Service, o.Pools = service, set })
}

const poolBody = `{"name":"py","template":{"spec":{"containers":[{"name":"sandbox","image":"python:3.11"}]}},
	"capacitySpec":{"bufferMax":1,"bufferMin":1,"poolMax":3,"poolMin":0}}`

type poolAnswer struct {
	Name         string
	CapacitySpec map[string]int
	Status       struct {
		Total, Allocated, Available int
		Revision                    string
	}
	CreatedAt time.Time
}

func TestLifeOfAPool(t *testing.T) {
	e := newPooledEdge(t)
	require.JSONEq(t, `{"items":[]}`, e.do("GET", "/v1/pools", "").Body.String())
	w := e.do("POST", "/v1/pools", poolBody)
	require.Equal(t, 201, w.Code, w.Body.String())
	require.NotContains(t, w.Body.String(), "template")
	wantError(t, e.do("POST", "/pools", poolBody), 409, "KUBERNETES::POOL_ALREADY_EXISTS")

	get := func() (p poolAnswer) {
		w := e.do("GET", "/v1/pools/py", "")
		require.Equal(t, 200, w.Code, w.Body.String())
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		return p
	}
	require.Eventually(t, func() bool { return get().Status.Available == 1 }, waitFor, time.Millisecond)
	p := get()
	require.Equal(t, "py", p.Name)
	require.Equal(t, map[string]int{"bufferMax": 1, "bufferMin": 1, "poolMax": 3, "poolMin": 0}, p.CapacitySpec)
	require.Len(t, p.Status.Revision, 16)
	require.False(t, p.CreatedAt.IsZero())
	require.Contains(t, e.do("GET", "/v1/sandboxes", "").Body.String(), `"totalItems":0`, "members are no sandboxes yet")

	w = e.do("POST", "/v1/sandboxes", `{"timeout":600,"extensions":{"poolRef":" py "},"metadata":{"team":"ml"},
		"resourceLimits":{"cpu":"1","memory":"2Gi"},"entrypoint":["tail","-f","/dev/null"]}`)
	require.Equal(t, 202, w.Code, w.Body.String())
	require.Contains(t, w.Body.String(), `"state":"Running"`)
	w = e.do("POST", "/v1/sandboxes", `{"extensions":{"poolRef":"py"}}`, header{"Prefer": "respond-async"})
	require.Equal(t, 202, w.Code, w.Body.String())
	require.Contains(t, w.Body.String(), `"state":"Running"`)
	require.Empty(t, w.Header().Get("Preference-Applied"))
	require.Contains(t, w.Body.String(), `"entrypoint":[]`, "it is always there")
	require.Contains(t, e.do("GET", "/v1/sandboxes?metadata=team%3Dml", "").Body.String(), `"totalItems":1`)

	wantError(t, e.do("POST", "/v1/sandboxes", `{"extensions":{"poolRef":"other"}}`), 404, "KUBERNETES::POOL_NOT_FOUND")
	wantError(t, e.do("POST", "/v1/sandboxes", `{"extensions":{"poolRef":"py"},"snapshotId":"s"}`), 422, "SANDBOX::INVALID_PARAMETER")
	wantError(t, e.do("POST", "/v1/sandboxes", `{"extensions":{"poolRef":"py"},"networkPolicy":{}}`), 400, "SANDBOX::INVALID_PARAMETER")
	require.Eventually(t, func() bool { return get().Status.Available == 1 }, waitFor, time.Millisecond)
	require.Equal(t, 202, e.do("POST", "/v1/sandboxes", `{"extensions":{"poolRef":"py"}}`).Code)
	w = e.do("POST", "/v1/sandboxes", `{"extensions":{"poolRef":"py"}}`)
	wantError(t, w, 429, "KUBERNETES::POOL_CAPACITY_EXHAUSTED")
	require.NotEmpty(t, w.Header().Get("Retry-After"))

	w = e.do("PUT", "/v1/pools/py", `{"name":7,"capacitySpec":{"bufferMax":2,"bufferMin":2,"poolMax":9,"poolMin":1}}`)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, 9, get().CapacitySpec["poolMax"])
	wantError(t, e.do("PUT", "/pools/other", `{"capacitySpec":{"bufferMax":1,"bufferMin":1,"poolMax":1,"poolMin":1}}`), 404, "KUBERNETES::POOL_NOT_FOUND")
	wantError(t, e.do("PUT", "/pools/py", `{"capacitySpec":{"bufferMax":1,"bufferMin":2,"poolMax":1,"poolMin":1}}`), 400, "SANDBOX::INVALID_PARAMETER")
	wantError(t, e.do("PUT", "/pools/py", `{"capacitySpec":{"bufferMax":1}}`), 422, "SANDBOX::INVALID_PARAMETER")

	require.Equal(t, 204, e.do("DELETE", "/v1/pools/py", "").Code)
	for _, method := range []string{"GET", "DELETE"} {
		wantError(t, e.do(method, "/v1/pools/py", ""), 404, "KUBERNETES::POOL_NOT_FOUND")
	}
	require.Contains(t, e.do("GET", "/v1/sandboxes", "").Body.String(), `"totalItems":3`, "what was claimed lives on")
}

// What a template may say, and what it may not: nothing is dropped in silence.
func TestTemplatesOfPools(t *testing.T) {
	const ordinary = `"name":"sandbox","image":"python:3.11"`
	for _, tc := range []struct {
		template string
		status   int
		names    string // what the answer has to mention
	}{
		{`{"metadata":{"annotations":{"opensandbox.io/when-empty":"fail"}},"spec":{"nodeSelector":{"kubernetes.io/os":"linux","kubernetes.io/arch":"amd64"},
			"containers":[{` + ordinary + `,"command":["sh"],"args":["-c","sleep 9"],"env":[{"name":"A","value":"1"},{"name":"B"}],
			"resources":{"limits":{"cpu":"1","memory":"1Gi"}}}]}}`, 201, ""},

		{`{"spec":{"containers":[{` + ordinary + `}],"volumes":[]}}`, 400, "template.spec.volumes"},
		{`{"spec":{"containers":[{` + ordinary + `}],"hostNetwork":true}}`, 400, "template.spec.hostNetwork"},
		{`{"spec":{"containers":[{` + ordinary + `}],"serviceAccountName":"admin"}}`, 400, "template.spec.serviceAccountName"},
		{`{"spec":{"containers":[{` + ordinary + `}],"initContainers":[]}}`, 400, "template.spec.initContainers"},
		{`{"spec":{"containers":[{` + ordinary + `,"securityContext":{"privileged":true}}]}}`, 400, "securityContext"},
		{`{"spec":{"containers":[{` + ordinary + `,"volumeMounts":[]}]}}`, 400, "volumeMounts"},
		{`{"spec":{"containers":[{` + ordinary + `,"ports":[]}]}}`, 400, "ports"},
		{`{"spec":{"containers":[{` + ordinary + `,"resources":{"requests":{"cpu":"1"}}}]}}`, 400, "requests"},
		{`{"spec":{"containers":[{` + ordinary + `,"resources":{"limits":{"disk":"1"}}}]}}`, 400, "disk"},
		{`{"spec":{"containers":[{` + ordinary + `,"env":[{"name":"A","valueFrom":{"secretKeyRef":{}}}]}]}}`, 400, "valueFrom"},
		{`{"spec":{"containers":[{` + ordinary + `}],"nodeSelector":{"kubernetes.io/os":"linux","kubernetes.io/arch":"amd64","zone":"a"}}}`, 400, "zone"},
		{`{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{` + ordinary + `}]}}`, 400, "template.metadata.labels"},
		{`{"metadata":{"annotations":{"a":"b"}},"spec":{"containers":[{` + ordinary + `}]}}`, 400, "annotations"},
		{`{"spec":{"containers":[{"image":"../containers/x"}]}}`, 400, "image"},
		{`{"spec":{"containers":[{` + ordinary + `,"resources":{"limits":{"cpu":"plenty"}}}]}}`, 400, "cpu"},

		{`[]`, 422, "template"},
		{`{}`, 422, "template.spec"},
		{`{"spec":{"containers":[]}}`, 422, "exactly one container"},
		{`{"spec":{"containers":[{` + ordinary + `},{` + ordinary + `}]}}`, 422, "exactly one container"},
		{`{"spec":{"containers":["x"]}}`, 422, "containers.0"},
		{`{"spec":{"containers":[{"name":"sandbox"}]}}`, 422, "image"},
		{`{"spec":{"containers":[{` + ordinary + `,"args":["x"]}]}}`, 422, "needs command"},
		{`{"spec":{"containers":[{` + ordinary + `,"env":[{"value":"x"}]}]}}`, 422, "env.0.name"},
		{`{"spec":{"containers":[{` + ordinary + `}],"nodeSelector":{"kubernetes.io/os":"linux"}}}`, 422, "kubernetes.io/arch"},
		{`{"metadata":{"annotations":{"opensandbox.io/when-empty":"maybe"}},"spec":{"containers":[{` + ordinary + `}]}}`, 422, "when-empty"},
	} {
		t.Run(tc.template, func(t *testing.T) {
			e := newPooledEdge(t)
			w := e.do("POST", "/v1/pools", `{"name":"py","template":`+tc.template+`,"capacitySpec":{"bufferMax":0,"bufferMin":0,"poolMax":1,"poolMin":0}}`)
			if tc.status == 201 {
				require.Equal(t, 201, w.Code, w.Body.String())
				return
			}
			require.Contains(t, wantError(t, w, tc.status, "SANDBOX::INVALID_PARAMETER").Message, tc.names)
			wantError(t, e.do("GET", "/v1/pools/py", ""), 404, "KUBERNETES::POOL_NOT_FOUND")
		})
	}
}
