package route_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/route"
)

func TestConnectAndTrace(t *testing.T) {
	for _, method := range []string{"CONNECT", "TRACE"} {
		v := everything(t).Classify(route.Request{Method: method, Authority: "x-80.sb.example.com", Path: "/"})
		require.NotNil(t, v.Err)
		require.Equal(t, 405, v.Err.Status)
	}
}

func TestURIPrefix(t *testing.T) {
	tab := table(t, route.Settings{URI: true, URIPrefix: "/sbx/"})
	v := tab.Classify(route.Request{Method: "GET", Authority: "h", Path: "/sbx/x/80/a"})
	require.Equal(t, "/sbx/x/80", v.Prefix)
	require.Equal(t, "/a", v.Path)
	for _, path := range []string{"/x/80/a", "/sbxx/80/a", "/sbx", "/sbx/"} {
		require.Equal(t, route.None, tab.Classify(route.Request{Method: "GET", Authority: "h", Path: path}).Class, path)
	}
}

func TestBareLabelYieldsToAPIHosts(t *testing.T) {
	tab := table(t, route.Settings{APIHosts: []string{"edge-1"}, WildcardBase: "sb.example.com"})
	require.Equal(t, route.API, tab.Classify(route.Request{Method: "GET", Authority: "edge-1:8080", Path: "/sandboxes"}).Class)
}

func TestNewTableRefuses(t *testing.T) {
	for name, s := range map[string]route.Settings{
		"host with a path":          {APIHosts: []string{"a/b"}},
		"empty host":                {GatewayHosts: []string{""}},
		"base with a port":          {WildcardBase: "*.a.example:80"},
		"address as base":           {WildcardBase: "10.0.0.1"},
		"relative prefix":           {URI: true, URIPrefix: "sbx"},
		"prefix with dots":          {URI: true, URIPrefix: "/a/../b"},
		"prefix on an API root":     {URI: true, URIPrefix: "/v1/x"},
		"API host under the base":   {APIHosts: []string{"api.sb.example.com"}, WildcardBase: "sb.example.com"},
		"prefix with empty segment": {URI: true, URIPrefix: "/a//b"},
	} {
		_, err := route.NewTable(s)
		require.Error(t, err, name)
	}
	_, err := route.NewTable(route.Settings{APIHosts: []string{"::1", "[::2]:80", "a.example:8080", "10.0.0.1"}})
	require.NoError(t, err)
}
