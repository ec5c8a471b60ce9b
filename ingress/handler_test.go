package ingress_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/route"
)

// newHandlerBehindAuth serves the edge's sandboxes without a listener.
func newHandlerBehindAuth(t testing.TB, e *edge) (http.Handler, *ingress.Handler) {
	t.Helper()
	table, err := route.NewTable(route.Settings{APIHosts: []string{host}, WildcardBase: base, URI: true, Header: true})
	require.NoError(t, err)
	keys := auth.NewKeys()
	h, err := ingress.New(ingress.Options{Directory: e, Upstreams: e.upstreams, Table: table, Keys: keys, Core: core})
	require.NoError(t, err)
	a, err := auth.New(auth.Options{Table: table, Keys: keys})
	require.NoError(t, err)
	return behind(a, h), h
}

func TestARequestWithoutAVerdictIsRefused(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	protected, bare := newHandlerBehindAuth(t, e)

	w := httptest.NewRecorder()
	bare.ServeHTTP(w, httptest.NewRequest("GET", "/sandboxes/"+id+"/proxy/8080/", nil))
	require.Equal(t, 500, w.Code, "no authentication ran")

	r := httptest.NewRequest("GET", "http://"+host+"/health", nil)
	r.RequestURI = "/health"
	w = httptest.NewRecorder()
	protected.ServeHTTP(w, r)
	require.Equal(t, 404, w.Code, "not a sandbox route")
	require.Zero(t, got.count())
}

func TestOnGrantedRunsBeforeTheBodyAndOnlyThen(t *testing.T) {
	calls := 0
	e := newEdge(t, func(o *ingress.Options) {
		o.OnGranted = func(w http.ResponseWriter, r *http.Request) { calls++ }
	})
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	e.do(t, direct("8081").request(t, e, "GET", "/", nil))
	require.Equal(t, 1, calls)
}
