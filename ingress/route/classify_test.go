package route_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/route"
)

const uuid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

func table(t testing.TB, s route.Settings) *route.Table {
	t.Helper()
	tab, err := route.NewTable(s)
	require.NoError(t, err)
	return tab
}

// everything has all route forms on, with separate API and gateway hosts.
func everything(t testing.TB) *route.Table {
	return table(t, route.Settings{
		APIHosts: []string{"api.example.com"}, GatewayHosts: []string{"gw.example.com"},
		WildcardBase: "*.sb.example.com", URI: true, Header: true,
	})
}

// anyHost serves the API on every host, header and uri routes beside it.
func anyHost(t testing.TB) *route.Table { return table(t, route.Settings{URI: true, Header: true}) }

func TestHostPathHeader(t *testing.T) {
	proxy := func(id string, port uint16, prefix, path string) route.Verdict {
		return route.Verdict{Class: route.Proxy, Form: route.FormDirect, SandboxID: id, Port: port, Prefix: prefix, Path: path}
	}
	gateway := func(form route.Form, id string, port uint16, prefix, path string) route.Verdict {
		return route.Verdict{Class: route.Gateway, Form: form, SandboxID: id, Port: port, Prefix: prefix, Path: path}
	}
	type row struct {
		name, host, path, header string
		want                     route.Verdict
		code                     string // of want.Err
	}
	api := route.Verdict{Class: route.API}
	public := route.Verdict{Class: route.Public}
	const apiHost, gw, sb = "api.example.com", "gw.example.com", uuid + "-8080.sb.example.com"

	rows := []row{
		// API hosts: the server's own paths.
		{name: "api", host: apiHost, path: "/v1/sandboxes", want: api},
		{name: "api without version", host: apiHost, path: "/sandboxes/" + uuid, want: api},
		{name: "snapshots", host: apiHost, path: "/snapshots", want: api},
		{name: "pools", host: apiHost, path: "/v1/pools/p", want: api},
		{name: "trailing slash", host: apiHost, path: "/v1/sandboxes/", want: api},
		{name: "encoded api root", host: apiHost, path: "/%73andboxes/x", want: api},
		{name: "health", host: apiHost, path: "/health", want: public},
		{name: "health has no versioned twin", host: apiHost, path: "/v1/health", want: api},
		{name: "health details need the key", host: apiHost, path: "/health/ready", want: api},
		{name: "metrics need the key", host: apiHost, path: "/metrics", want: api},
		{name: "docs", host: apiHost, path: "/docs", want: public},
		{name: "docs asset", host: apiHost, path: "/docs/swagger-ui.css", want: public},
		{name: "redoc", host: apiHost, path: "/redoc", want: public},
		{name: "openapi", host: apiHost, path: "/openapi.json", want: public},
		{name: "no prefix match", host: apiHost, path: "/docsfoo", want: route.Verdict{}},
		{name: "upper case root is nothing", host: apiHost, path: "/V1/sandboxes", want: route.Verdict{}},
		{name: "empty first segment is nothing", host: apiHost, path: "//v1/sandboxes", want: route.Verdict{}},
		{name: "unknown", host: apiHost, path: "/favicon.ico", want: route.Verdict{}},

		// The proxy shape.
		{name: "proxy", host: apiHost, path: "/sandboxes/" + uuid + "/proxy/44772/command", want: proxy(uuid, 44772, "/sandboxes/"+uuid+"/proxy/44772", "/command")},
		{name: "proxy v1", host: apiHost, path: "/v1/sandboxes/x/proxy/80", want: proxy("x", 80, "/v1/sandboxes/x/proxy/80", "/")},
		{name: "proxy root", host: apiHost, path: "/sandboxes/x/proxy/80/", want: proxy("x", 80, "/sandboxes/x/proxy/80", "/")},
		{name: "rest is kept byte for byte", host: apiHost, path: "/sandboxes/x/proxy/80//a%2Fb/%7Ec/../%5c\"é", want: proxy("x", 80, "/sandboxes/x/proxy/80", "//a%2Fb/%7Ec/../%5c\"é")},
		{name: "encoded id", host: apiHost, path: "/sandboxes/s%62/proxy/80/a", want: proxy("sb", 80, "/sandboxes/s%62/proxy/80", "/a")},
		{name: "proxy wins over a routing header", host: apiHost, path: "/sandboxes/x/proxy/80/a", header: "other-81", want: proxy("x", 80, "/sandboxes/x/proxy/80", "/a")},
		{name: "port word is api", host: apiHost, path: "/sandboxes/x/proxy/abc/", want: api},
		{name: "port with letters is api", host: apiHost, path: "/sandboxes/x/proxy/8080x", want: api},
		{name: "port with userinfo is api", host: apiHost, path: "/sandboxes/x/proxy/1@evil/", want: api},
		{name: "port with port is api", host: apiHost, path: "/sandboxes/x/proxy/80:81", want: api},
		{name: "encoded port is api", host: apiHost, path: "/sandboxes/x/proxy/%380/", want: api},
		{name: "no port is api", host: apiHost, path: "/sandboxes/x/proxy", want: api},
		{name: "port zero", host: apiHost, path: "/sandboxes/x/proxy/0/", code: route.CodeBadPort},
		{name: "port too big", host: apiHost, path: "/sandboxes/x/proxy/65536", code: route.CodeBadPort},
		{name: "port with zero", host: apiHost, path: "/sandboxes/x/proxy/080/", code: route.CodeBadPort},
		{name: "id outside the grammar is api", host: apiHost, path: "/sandboxes/a.b/proxy/80/", want: api},
		{name: "reserved id is api", host: apiHost, path: "/sandboxes/docs/proxy/80/", want: api},
		{name: "other version is nothing", host: apiHost, path: "/v2/sandboxes/x/proxy/80/", want: route.Verdict{}},
		{name: "prefixed shape is nothing", host: apiHost, path: "/foo/sandboxes/x/proxy/80/", want: route.Verdict{}},

		// What reads in two ways is refused (R1).
		{name: "encoded slash in an id", host: apiHost, path: "/v1/sandboxes/ID%2Fproxy%2F80", code: route.CodeBadPath},
		{name: "lower case encoded slash", host: apiHost, path: "/sandboxes/x%2fproxy/80", code: route.CodeBadPath},
		{name: "encoded backslash", host: apiHost, path: "/sandboxes/x%5cy", code: route.CodeBadPath},
		{name: "backslash", host: apiHost, path: `/sandboxes\x`, code: route.CodeBadPath},
		{name: "encoded NUL", host: apiHost, path: "/sandboxes/x%00", code: route.CodeBadPath},
		{name: "dot segments", host: apiHost, path: "/sandboxes/x/../y", code: route.CodeBadPath},
		{name: "dot segment before the root", host: apiHost, path: "/docs/../v1/sandboxes", code: route.CodeBadPath},
		{name: "single dot", host: apiHost, path: "/./v1/sandboxes", code: route.CodeBadPath},
		{name: "encoded dots", host: apiHost, path: "/%2e%2E/v1/sandboxes", code: route.CodeBadPath},
		{name: "half encoded dots", host: apiHost, path: "/sandboxes/.%2e/x", code: route.CodeBadPath},
		{name: "dots in a proxy id", host: apiHost, path: "/sandboxes/../proxy/80/", code: route.CodeBadPath},
		{name: "broken escape", host: apiHost, path: "/sandboxes/%zz", code: route.CodeBadPath},
		{name: "not a path", host: apiHost, path: "*", code: route.CodeBadPath},
		{name: "no path", host: apiHost, path: "", code: route.CodeBadPath},
		{name: "line break", host: apiHost, path: "/a\r\nb", code: route.CodeBadPath},

		// Routing headers.
		{name: "header", host: apiHost, path: "/a%2Fb", header: "x-80", want: gateway(route.FormHeader, "x", 80, "", "/a%2Fb")},
		{name: "header as URL", host: gw, path: "/", header: "https://alpha-beta-8080.t", want: gateway(route.FormHeader, "alpha-beta", 8080, "", "/")},
		{name: "header with both schemes", host: gw, path: "/", header: "https://HTTP://S-9000.x", want: gateway(route.FormHeader, "S", 9000, "", "/")},
		{name: "header with both schemes the other way round", host: gw, path: "/", header: "http://https://S-9000.x", code: route.CodeBadRoute},
		{name: "header with one scheme twice", host: gw, path: "/", header: "http://http://S-9000.x", code: route.CodeBadRoute},
		{name: "header wins over api paths", host: apiHost, path: "/v1/sandboxes/other", header: "x-80", want: gateway(route.FormHeader, "x", 80, "", "/v1/sandboxes/other")},
		{name: "header wins over uri", host: gw, path: "/y/81/a", header: "x-80", want: gateway(route.FormHeader, "x", 80, "", "/y/81/a")},
		{name: "header wins over a bad proxy port", host: apiHost, path: "/sandboxes/x/proxy/0/", header: "x-80", want: gateway(route.FormHeader, "x", 80, "", "/sandboxes/x/proxy/0/")},
		{name: "header path keeps its dots", host: apiHost, path: "/../a", header: "x-80", want: gateway(route.FormHeader, "x", 80, "", "/../a")},
		{name: "header without port", host: apiHost, path: "/", header: "plain", code: route.CodeBadRoute},
		{name: "header with bad port", host: apiHost, path: "/v1/sandboxes", header: "x-080", code: route.CodeBadRoute},
		{name: "header with two values in one", host: apiHost, path: "/", header: "x-80, y-80", code: route.CodeBadRoute},
		{name: "header naming a reserved word", host: apiHost, path: "/", header: "sandboxes-80", code: route.CodeBadRoute},
		{name: "header signed", host: gw, path: "/v1/", header: "my-sandbox-8080-x2qxvk-8b6de077a", want: route.Verdict{
			Class: route.Gateway, Form: route.FormHeader, SandboxID: "my-sandbox", Port: 8080, Path: "/v1/", ExpiresB36: "x2qxvk", Signature: "8b6de077a",
		}},

		// Gateway hosts carry no API.
		{name: "gateway health", host: gw, path: "/health", want: public},
		{name: "gateway status", host: gw, path: "/status.ok", want: public},
		{name: "gateway has no api", host: gw, path: "/v1/sandboxes", code: route.CodeBadRoute},
		{name: "gateway has no proxy routes", host: gw, path: "/sandboxes/x/proxy/80/", code: route.CodeBadRoute},
		{name: "gateway has no docs", host: gw, path: "/docs", code: route.CodeBadRoute},
		{name: "gateway uri", host: gw, path: "/x/80/a", want: gateway(route.FormURI, "x", 80, "/x/80", "/a")},

		// Wildcard hosts: the host decides first (R3).
		{name: "wildcard", host: sb, path: "/a", want: gateway(route.FormWildcard, uuid, 8080, "", "/a")},
		{name: "wildcard api path", host: sb, path: "/v1/sandboxes", want: gateway(route.FormWildcard, uuid, 8080, "", "/v1/sandboxes")},
		{name: "wildcard proxy path", host: sb, path: "/sandboxes/x/proxy/80/", want: gateway(route.FormWildcard, uuid, 8080, "", "/sandboxes/x/proxy/80/")},
		{name: "wildcard docs", host: sb, path: "/docs", want: gateway(route.FormWildcard, uuid, 8080, "", "/docs")},
		{name: "wildcard health", host: sb, path: "/health", want: gateway(route.FormWildcard, uuid, 8080, "", "/health")},
		{name: "wildcard status", host: sb, path: "/status.ok", want: gateway(route.FormWildcard, uuid, 8080, "", "/status.ok")},
		{name: "header status", host: apiHost, path: "/status.ok", header: "x-80", want: gateway(route.FormHeader, "x", 80, "", "/status.ok")},
		{name: "wildcard metrics", host: sb, path: "/metrics", want: gateway(route.FormWildcard, uuid, 8080, "", "/metrics")},
		{name: "wildcard with a routing header", host: sb, path: "/", header: "other-1", want: gateway(route.FormWildcard, uuid, 8080, "", "/")},
		{name: "wildcard case, dot and port", host: "SB-8080.SB.Example.COM.:443", path: "/", want: gateway(route.FormWildcard, "sb", 8080, "", "/")},
		{name: "wildcard dashes", host: "a--8080.sb.example.com", path: "/", want: gateway(route.FormWildcard, "a-", 8080, "", "/")},
		{name: "wildcard signed", host: "a--8080-x2qxvk-8b6de077a.sb.example.com", path: "/", want: route.Verdict{
			Class: route.Gateway, Form: route.FormWildcard, SandboxID: "a-", Port: 8080, Path: "/", ExpiresB36: "x2qxvk", Signature: "8b6de077a",
		}},
		{name: "wildcard plain label", host: "api.sb.example.com", path: "/v1/sandboxes", code: route.CodeBadRoute},
		{name: "wildcard deeper label", host: "x." + sb, path: "/health", code: route.CodeBadRoute},
		{name: "wildcard empty id", host: "-8080.sb.example.com", path: "/", code: route.CodeBadRoute},
		{name: "wildcard bad port", host: "x-08080.sb.example.com", path: "/", code: route.CodeBadRoute},
		{name: "label without domain", host: "sb-8080", path: "/v1/sandboxes", want: gateway(route.FormWildcard, "sb", 8080, "", "/v1/sandboxes")},
		{name: "label and port without domain", host: "sb-8080:9999", path: "/", want: gateway(route.FormWildcard, "sb", 8080, "", "/")},
		{name: "base itself is no sandbox", host: "sb.example.com", path: "/", code: route.CodeMisdirected},

		// uri routes.
		{name: "uri root", host: apiHost, path: "/x/80", want: gateway(route.FormURI, "x", 80, "/x/80", "/")},
		{name: "uri rest", host: apiHost, path: "/x/80//a/../b%2F", want: gateway(route.FormURI, "x", 80, "/x/80", "//a/../b%2F")},
		{name: "uri encoded id", host: apiHost, path: "/s%62/8080/a", want: gateway(route.FormURI, "sb", 8080, "/s%62/8080", "/a")},
		{name: "uri encoded separator", host: apiHost, path: "/sb%2F8080/a", code: route.CodeBadPath},
		{name: "uri port zero", host: apiHost, path: "/sb/0/a", code: route.CodeBadPort},
		{name: "uri port with zero", host: apiHost, path: "/sb/08080/a", code: route.CodeBadPort},
		{name: "uri port word", host: apiHost, path: "/sb/abc/a", want: route.Verdict{}},
		{name: "uri api root is api", host: apiHost, path: "/snapshots/80/a", want: api},
		{name: "uri metrics is api", host: apiHost, path: "/metrics/80/a", want: api},
		{name: "uri signed", host: apiHost, path: "/my-sandbox/8080/x2qxvk/8b6de077a/v1/", want: route.Verdict{
			Class: route.Gateway, Form: route.FormURI, SandboxID: "my-sandbox", Port: 8080, Path: "/v1/",
			Prefix: "/my-sandbox/8080/x2qxvk/8b6de077a", ExpiresB36: "x2qxvk", Signature: "8b6de077a",
		}},
		{name: "uri almost signed", host: apiHost, path: "/my-sandbox/8080/0x2qxvk/8b6de077a/v1", want: gateway(route.FormURI, "my-sandbox", 8080, "/my-sandbox/8080", "/0x2qxvk/8b6de077a/v1")},

		// Hosts.
		{name: "unknown host", host: "evil.example", path: "/v1/sandboxes", code: route.CodeMisdirected},
		{name: "unknown host with header", host: "evil.example", path: "/", header: "x-80", code: route.CodeMisdirected},
		{name: "probe on an unknown host", host: "10.0.0.7:8080", path: "/health", want: public},
		{name: "other probe on an unknown host", host: "10.0.0.7:8080", path: "/status.ok", want: public},
		{name: "nothing below a probe", host: "10.0.0.7:8080", path: "/status.ok/", code: route.CodeMisdirected},
		{name: "loopback is always known", host: "127.0.0.1:8080", path: "/v1/sandboxes", want: api},
		{name: "localhost is always known", host: "localhost", path: "/v1/sandboxes", want: api},
		{name: "IPv6 loopback", host: "[::1]:8080", path: "/v1/sandboxes", want: api},
		{name: "api host case, dot and port", host: "API.example.com.:8443", path: "/v1/sandboxes", want: api},
		{name: "no host", host: "", path: "/", code: route.CodeBadAuthority},
		{name: "userinfo", host: "user@api.example.com", path: "/", code: route.CodeBadAuthority},
		{name: "two dots", host: "api.example.com..", path: "/", code: route.CodeBadAuthority},
		{name: "empty label", host: "api..example.com", path: "/", code: route.CodeBadAuthority},
		{name: "port word", host: "api.example.com:http", path: "/", code: route.CodeBadAuthority},
		{name: "empty port", host: "api.example.com:", path: "/", code: route.CodeBadAuthority},
		{name: "long label", host: uuid + "-8080-123456789abcd-8b6de077a1234.sb.example.com", path: "/", code: route.CodeBadAuthority},
		{name: "non-ASCII", host: "äpi.example.com", path: "/", code: route.CodeBadAuthority},
		{name: "IPv6 zone", host: "[fe80::1%25eth0]", path: "/", code: route.CodeBadAuthority},
		{name: "open bracket", host: "[::1", path: "/", code: route.CodeBadAuthority},
	}
	tab := everything(t)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			req := route.Request{Method: "GET", Authority: r.host, Path: r.path}
			if r.header != "" {
				req.IngressTo = []string{r.header}
			}
			got := tab.Classify(req)
			if r.code != "" {
				require.NotNil(t, got.Err, "%+v", got)
				require.Equal(t, r.code, got.Err.Code)
				got.Err = nil
			}
			require.Equal(t, r.want, got.Shown())
		})
	}
}

func TestUnsignedReading(t *testing.T) {
	classify := func(host, path, header string) route.Verdict {
		r := route.Request{Method: "GET", Authority: host, Path: path}
		if header != "" {
			r.IngressTo = []string{header}
		}
		v := everything(t).Classify(r)
		require.Nil(t, v.Err)
		return v
	}
	const api = "api.example.com"
	for path, want := range map[string]string{
		"/sb/8080/x2qxvk/aabbccddk/v1":       "/x2qxvk/aabbccddk/v1",
		"/sb/8080/2024/12345678a":            "/2024/12345678a",
		"/sb/8080/2024/12345678a/":           "/2024/12345678a/",
		"/sb/8080/static/deadbeef1/%2e%2e/a": "/static/deadbeef1/%2e%2e/a",
		"/sb/8080/almost/signed":             "/almost/signed",
		"/sb/8080":                           "/",
	} {
		v := classify(api, path, "").Unsigned()
		require.Equal(t, route.Verdict{Class: route.Gateway, Form: route.FormURI, SandboxID: "sb", Port: 8080, Prefix: "/sb/8080", Path: want}, v, path)
		require.Equal(t, v, v.Unsigned(), "twice is once")
	}
	signed := classify(api, "/sb/8080/x2qxvk/aabbccddk/v1", "")
	require.Equal(t, "/v1", signed.Path, "the signed reading stays for the sandboxes that demand one")
	require.Equal(t, "aabbccddk", signed.Signature)
	for _, v := range []route.Verdict{
		classify("sb-8080-x2qxvk-8b6de077a.sb.example.com", "/v1", ""), classify(api, "/v1", "sb-8080-x2qxvk-8b6de077a"),
	} {
		require.NotEmpty(t, v.Signature)
		v = v.Unsigned()
		require.Empty(t, v.Signature+v.ExpiresB36)
		require.Equal(t, "/v1", v.Path)
	}
}

func TestAuthorityOfTheProtocol(t *testing.T) {
	tab := anyHost(t)
	base := route.Request{Method: "GET", Authority: "a.example", Path: "/v1/sandboxes"}
	with := func(change func(*route.Request)) route.Verdict {
		r := base
		change(&r)
		return tab.Classify(r)
	}
	require.Nil(t, with(func(r *route.Request) { r.HostFields = []string{"A.example."} }).Err)
	require.Nil(t, with(func(r *route.Request) { r.TargetAuthority = "a.EXAMPLE" }).Err)
	for name, change := range map[string]func(*route.Request){
		"differing Host":          func(r *route.Request) { r.HostFields = []string{"b.example"} },
		"differing port":          func(r *route.Request) { r.HostFields = []string{"a.example:81"} },
		"repeated Host":           func(r *route.Request) { r.HostFields = []string{"a.example", "a.example"} },
		"empty Host":              func(r *route.Request) { r.HostFields = []string{""} },
		"differing absolute form": func(r *route.Request) { r.TargetAuthority = "b.example" },
		"userinfo in the target":  func(r *route.Request) { r.TargetAuthority = "u@a.example" },
	} {
		v := with(change)
		require.NotNil(t, v.Err, name)
		require.Equal(t, route.CodeBadAuthority, v.Err.Code, name)
		require.Equal(t, 400, v.Err.Status, name)
		require.Equal(t, route.None, v.Class, name)
	}
}

func TestRoutingHeaders(t *testing.T) {
	tab := anyHost(t)
	base := route.Request{Method: "GET", Authority: "h", Path: "/"}

	r := base
	r.IngressTo, r.IngressToLegacy = []string{"new-1"}, []string{"old-2"}
	require.Equal(t, "new", tab.Classify(r).SandboxID)
	r.IngressTo = []string{""}
	require.Equal(t, "old", tab.Classify(r).SandboxID, "the first non-empty one wins")
	for _, two := range []route.Request{
		{Method: "GET", Authority: "h", Path: "/", IngressTo: []string{"x-1", "x-1"}},
		{Method: "GET", Authority: "h", Path: "/v1/sandboxes", IngressToLegacy: []string{"", "x-1"}},
	} {
		v := tab.Classify(two)
		require.NotNil(t, v.Err)
		require.Equal(t, 400, v.Err.Status)
	}
	off := table(t, route.Settings{})
	r = base
	r.Path, r.IngressTo = "/v1/sandboxes", []string{"x-80"}
	require.Equal(t, route.API, off.Classify(r).Class, "header routes are off")
	r.Path = "/x/80/"
	require.Equal(t, route.Verdict{}, off.Classify(r), "uri routes are off")
}
