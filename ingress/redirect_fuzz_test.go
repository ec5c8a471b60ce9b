package ingress

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// FuzzLocation: whatever a sandbox answers, a client that follows a Location we let
// through arrives at the same sandbox and port, by the rules of another resolver than ours.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{
		"/login", "//evil/", `/\evil`, "../../../v1/sandboxes", "http://172.17.0.2:44772//evil", "?q", "%2e%2e/%2e%2e/v1",
		"http://api.example.com/v1/sandboxes", "/./..//x", "https://api.example.com/", "a:b", "http://172.17.0.2:447721/",
		"1/%2e%2e", "..//v1", // found by fuzzing

	} {
		for form := range 3 {
			f.Add(seed, uint8(form))
		}
	}
	table, err := route.NewTable(route.Settings{URI: true, Header: true, WildcardBase: "sb.example.com", APIHosts: []string{"api.example.com"}})
	require.NoError(f, err)
	h := &Handler{Options: Options{Table: table, Keys: auth.NewKeys()}}
	f.Fuzz(func(t *testing.T, location string, form uint8) {
		target, host := "/a/b", "api.example.com"
		r := &http.Request{Method: "GET", Header: http.Header{}}
		switch form % 4 {
		case 0:
			target = "/sandboxes/sb/proxy/44772" + target
		case 1:
			target = "/sb/44772" + target
		case 2:
			r.Header.Set(wire.HeaderIngressTo, "sb-44772")
		case 3:
			host = "sb-44772.sb.example.com"
		}
		r.Host, r.RequestURI = host, target
		x := &exchange{Handler: h, r: r, route: table.Classify(route.FromHTTP(r)), addr: netip.MustParseAddrPort("172.17.0.2:44772")}
		x.decision = &auth.Decision{Route: x.route}
		res := &http.Response{StatusCode: 302, Header: http.Header{"Location": {location}}}
		if x.rewriteLocation(res) != nil {
			return
		}
		base, err := url.Parse("http://" + host + target)
		require.NoError(t, err)
		followed, err := base.Parse(res.Header.Get("Location"))
		if err != nil {
			return // no client follows it
		}
		if followed.Scheme != "http" || !strings.EqualFold(strings.TrimSuffix(strings.TrimSuffix(followed.Host, ":80"), "."), host) {
			t.Fatalf("%q leads to %s", location, followed)
		}
		next := route.FromHTTP(&http.Request{Method: "GET", Host: host, RequestURI: followed.RequestURI(), Header: r.Header})
		if v := table.Classify(next); v.Err == nil && (v.SandboxID != "sb" || v.Port != 44772) {
			t.Fatalf("%q leads to %s: %+v", location, followed, v)
		}
		next.IngressTo = nil
		if v := table.Classify(next); v.Class == route.API || (v.SandboxID != "" && v.SandboxID != "sb") {
			t.Fatalf("%q leads to %s: %+v", location, followed, v)
		}
	})
}
