package api_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/api/address"
)

func TestEndpoint(t *testing.T) {
	const withToken = `,"headers":{"X-EXECD-ACCESS-TOKEN":"` + token + `"}}`
	const direct = `{"endpoint":"edge.example.com:8080`
	gateway := func(mode address.Mode, at string) func(*api.Options) {
		return func(o *api.Options) { o.Addresses.Gateway = &address.Gateway{Mode: mode, Address: at} }
	}
	for _, tc := range []struct {
		name, path string
		headers    header
		change     []func(*api.Options)
		want       string
	}{
		{"a port of the app", "/v1/sandboxes/" + id + "/endpoints/8080", nil, nil, direct + `/v1/sandboxes/` + id + `/proxy/8080"}`},
		{"execd", "/v1/sandboxes/" + id + "/endpoints/44772", nil, nil, direct + `/v1/sandboxes/` + id + `/proxy/44772"` + withToken},
		{"the sidecar's port, always", "/v1/sandboxes/" + id + "/endpoints/18080", nil, nil, direct + `/v1/sandboxes/` + id + `/proxy/18080"}`},
		{"the root mount", "/sandboxes/" + id + "/endpoints/44772?use_server_proxy=YES", nil, nil, direct + `/sandboxes/` + id + `/proxy/44772"` + withToken},
		{
			"a configured address", "/v1/sandboxes/" + id + "/endpoints/80", nil,
			[]func(*api.Options){func(o *api.Options) { o.Addresses.EIP = "https://osb.example.com/x/" }},
			`{"endpoint":"osb.example.com/x/sandboxes/` + id + `/proxy/80"}`,
		},
		{
			"a configured address by way of the server", "/v1/sandboxes/" + id + "/endpoints/9000?use_server_proxy=true", nil,
			[]func(*api.Options){func(o *api.Options) { o.Addresses.EIP = "https://ext.example.com/os/" }, gateway(address.Wildcard, "*.sb.example.com")},
			`{"endpoint":"ext.example.com/os/sandboxes/` + id + `/proxy/9000"}`,
		},
		{
			"a forwarded host is not believed", "/v1/sandboxes/" + id + "/endpoints/80",
			header{"X-Forwarded-Host": "evil.example"},
			nil,
			direct + `/v1/sandboxes/` + id + `/proxy/80"}`,
		},
		{
			"wildcard execd", "/v1/sandboxes/" + id + "/endpoints/44772", nil,
			[]func(*api.Options){gateway(address.Wildcard, "*.sb.example.com")},
			`{"endpoint":"` + id + `-44772.sb.example.com"` + withToken,
		},
		{
			"header execd", "/v1/sandboxes/" + id + "/endpoints/44772", nil,
			[]func(*api.Options){gateway(address.Header, "gw.example.com")},
			`{"endpoint":"gw.example.com","headers":{"OpenSandbox-Ingress-To":"` + id + `-44772","X-EXECD-ACCESS-TOKEN":"` + token + `"}}`,
		},
		{
			"header by way of the server", "/v1/sandboxes/" + id + "/endpoints/8080?use_server_proxy=1", nil,
			[]func(*api.Options){gateway(address.Header, "gw.example.com")},
			direct + `/v1/sandboxes/` + id + `/proxy/8080","headers":{"OpenSandbox-Ingress-To":"` + id + `-8080"}}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEdge(t, tc.change...)
			w := e.do("GET", tc.path, "", tc.headers)
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Equal(t, tc.want, w.Body.String())
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"), "a shared cache must not keep the token")
			require.NotContains(t, e.log.String(), token)
			require.Empty(t, e.service.calls, "answered from memory")
		})
	}
}

func TestEndpointOfPublishedPorts(t *testing.T) {
	e := newEdge(t, func(o *api.Options) { o.Addresses.PublishedHost = "10.1.1.1" })
	_, err := e.service.directory.Publish(lifecycle.Entry{ID: id, State: lifecycle.Running, Published: map[uint16]netip.AddrPort{
		44772: netip.MustParseAddrPort("127.0.0.1:40001"), 8080: netip.MustParseAddrPort("127.0.0.1:40002"),
	}})
	require.NoError(t, err)
	w := e.do("GET", "/v1/sandboxes/"+id+"/endpoints/8080", "")
	require.Equal(t, `{"endpoint":"10.1.1.1:40002"}`, w.Body.String())
	w = e.do("GET", "/v1/sandboxes/"+id+"/endpoints/3000", "")
	require.Equal(t, `{"endpoint":"10.1.1.1:40001/proxy/3000","headers":{"X-EXECD-ACCESS-TOKEN":"`+token+`"}}`, w.Body.String(), "execd forwards, and asks for its token")
}

// Ports that this server does not dial are execd's to forward: on the host's network, and
// where container addresses are out of reach.
func TestEndpointThroughExecd(t *testing.T) {
	for name, entry := range map[string]lifecycle.Entry{
		"host":        {SharesHost: true},
		"unreachable": {},
	} {
		e := newEdge(t)
		entry.ID, entry.State = id, lifecycle.Running
		entry.Published = map[uint16]netip.AddrPort{44772: netip.MustParseAddrPort("127.0.0.1:40001")}
		_, err := e.service.directory.Publish(entry)
		require.NoError(t, err)
		withToken := `","headers":{"X-EXECD-ACCESS-TOKEN":"` + token + `"}}`
		for path, want := range map[string]string{
			"/endpoints/44772":                      "/proxy/44772" + withToken,
			"/endpoints/3000":                       "/proxy/44772/proxy/3000" + withToken,
			"/endpoints/18080":                      "/proxy/44772/proxy/18080" + withToken,
			"/endpoints/3000?use_server_proxy=true": "/proxy/44772/proxy/3000" + withToken,
		} {
			w := e.do("GET", "/v1/sandboxes/"+id+path, "")
			require.Equal(t, 200, w.Code, name)
			require.Contains(t, w.Body.String(), "/sandboxes/"+id+want, name)
		}
	}
}

// A sandbox that takes no requests keeps its endpoints: they lead through this server,
// which says what is wrong where a published port would hang (contract 02 §21.31).
func TestEndpointOfASandboxThatTakesNoRequests(t *testing.T) {
	for _, state := range []lifecycle.State{lifecycle.Paused, lifecycle.Terminated, lifecycle.Failed, lifecycle.Pending, lifecycle.Stopping} {
		e := newEdge(t, func(o *api.Options) { o.Addresses.PublishedHost = "10.1.1.1" })
		_, err := e.service.directory.Publish(lifecycle.Entry{ID: id, State: state, Published: map[uint16]netip.AddrPort{
			44772: netip.MustParseAddrPort("127.0.0.1:40001"),
		}})
		require.NoError(t, err)
		for _, port := range []string{"44772", "8080", "18080", "3000"} {
			w := e.do("GET", "/v1/sandboxes/"+id+"/endpoints/"+port, "")
			require.Equal(t, 200, w.Code, state)
			require.Contains(t, w.Body.String(), `"endpoint":"edge.example.com:8080/v1/sandboxes/`+id+`/proxy/`+port+`"`, state)
		}
	}
}

func TestEndpointWithoutToken(t *testing.T) {
	e := newEdge(t)
	_, err := e.service.directory.Publish(lifecycle.Entry{ID: "adopted", State: lifecycle.Paused, Address: netip.MustParseAddr("172.17.0.8")})
	require.NoError(t, err)
	w := e.do("GET", "/sandboxes/adopted/endpoints/44772", "")
	require.Equal(t, `{"endpoint":"edge.example.com:8080/sandboxes/adopted/proxy/44772"}`, w.Body.String())
}

// What has the shape of a proxy route and is none goes to no sandbox.
func TestProxyShapesThatAreNone(t *testing.T) {
	for _, mount := range []string{"", "/v1"} {
		for _, tc := range []struct {
			path   string
			status int
			code   string
		}{
			{"/sandboxes/x/proxy/abc", 422, "SANDBOX::INVALID_PARAMETER"},
			{"/sandboxes/x/proxy/abc/", 422, "SANDBOX::INVALID_PARAMETER"},
			{"/sandboxes/x/proxy/80x/a//b/", 422, "SANDBOX::INVALID_PARAMETER"},
			{"/sandboxes/x/proxy/1@evil/", 422, "SANDBOX::INVALID_PARAMETER"},
			{"/sandboxes/x/proxy/-1/", 400, "DOCKER::INVALID_PORT"},
			{"/sandboxes/a.b/proxy/80/", 404, "DOCKER::SANDBOX_NOT_FOUND"},
			{"/sandboxes/x/proxy/%380/", 404, "GENERAL::NOT_FOUND"},
			{"/sandboxes/x/proxy", 404, "GENERAL::NOT_FOUND"},
		} {
			for _, method := range []string{"GET", "POST", "BREW"} {
				e := newEdge(t)
				a := wantError(t, e.do(method, mount+tc.path, ""), tc.status, tc.code)
				if tc.status == 422 {
					require.Equal(t, []any{"path", "port"}, a.Detail[0].Loc)
				}
				wantError(t, e.do(method, mount+tc.path, "", header{"OPEN-SANDBOX-API-KEY": ""}), 401, "MISSING_API_KEY")
				require.Empty(t, e.service.calls)
			}
		}
	}
}

func TestEndpointRefuses(t *testing.T) {
	hosts := func(o *api.Options) { o.Addresses.PublicHosts = []string{"osb.example.com"} }
	wildcard := func(o *api.Options) {
		o.Addresses.Gateway = &address.Gateway{Mode: address.Wildcard, Address: "*.sb.example.com"}
	}
	long := "i23456789012345678901234567890123456789012345678901234567890"
	for _, tc := range []struct {
		path    string
		headers header
		change  []func(*api.Options)
		status  int
		code    string
	}{
		{id + "/endpoints/http", nil, nil, 422, "SANDBOX::INVALID_PARAMETER"},
		{id + "/endpoints/80.5", nil, nil, 422, "SANDBOX::INVALID_PARAMETER"},
		{id + "/endpoints/80?use_server_proxy=maybe", nil, nil, 422, "SANDBOX::INVALID_PARAMETER"},
		{id + "/endpoints/80?use_server_proxy=", nil, nil, 422, "SANDBOX::INVALID_PARAMETER"},
		{id + "/endpoints/80?expires=", nil, nil, 422, "SANDBOX::INVALID_PARAMETER"},
		{id + "/endpoints/80?expires=soon", nil, nil, 422, "SANDBOX::INVALID_PARAMETER"},
		{id + "/endpoints/0?expires=1&use_server_proxy=true", nil, nil, 400, "SANDBOX::INVALID_PARAMETER"},
		{id + "/endpoints/0?expires=1900000000", nil, nil, 400, "SANDBOX::API_NOT_SUPPORTED"},
		{"unknown/endpoints/0", nil, nil, 400, "DOCKER::INVALID_PORT"},
		{id + "/endpoints/65536", nil, nil, 400, "DOCKER::INVALID_PORT"},
		{id + "/endpoints/-1", nil, nil, 400, "DOCKER::INVALID_PORT"},
		{id + "/endpoints/99999999999999999999", nil, nil, 400, "DOCKER::INVALID_PORT"},
		{"unknown/endpoints/80", nil, nil, 404, "DOCKER::SANDBOX_NOT_FOUND"},
		{id + "/endpoints/80", header{"Host": "evil.example"}, []func(*api.Options){hosts}, 421, "GENERAL::MISDIRECTED_REQUEST"},
		{long + "/endpoints/8080", nil, []func(*api.Options){wildcard}, 400, "SANDBOX::INVALID_PARAMETER"},
	} {
		e := newEdge(t, tc.change...)
		_, err := e.service.directory.Publish(lifecycle.Entry{ID: long, State: lifecycle.Running, Address: netip.MustParseAddr("172.17.0.8")})
		require.NoError(t, err)
		wantError(t, e.do("GET", "/v1/sandboxes/"+tc.path, "", tc.headers), tc.status, tc.code)
	}
	a := wantError(t, newEdge(t).do("GET", "/v1/sandboxes/"+id+"/endpoints/x?use_server_proxy=x&expires=x", ""), 422, "SANDBOX::INVALID_PARAMETER")
	require.Len(t, a.Detail, 3)
	require.Equal(t, []any{"path", "port"}, a.Detail[0].Loc)
	require.Equal(t, []any{"query", "use_server_proxy"}, a.Detail[1].Loc)
	require.Equal(t, []any{"query", "expires"}, a.Detail[2].Loc)
}
