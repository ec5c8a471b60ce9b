package address_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle/api/address"
)

func TestBase(t *testing.T) {
	named := address.Config{ServerHost: "10.0.0.5", PublicHosts: []string{"osb.example.com", "fd00::5"}}
	for _, tc := range []struct {
		config     address.Config
		host, want string
		status     int
	}{
		{address.Config{}, "srv.example:8080", "srv.example:8080", 0},
		{address.Config{}, "[::1]:8080", "[::1]:8080", 0},
		{address.Config{EIP: " https://osb.example.com:8443/x// "}, "evil.example", "osb.example.com:8443/x", 0},
		{address.Config{EIP: "HTTP://1.2.3.4"}, "evil.example", "1.2.3.4", 0},
		{address.Config{}, "", "", 400},
		{address.Config{}, "a b", "", 400},
		{address.Config{}, "u@evil.example", "", 400},
		{address.Config{}, "evil.example/path", "", 400},
		{address.Config{}, "evil.example\"", "", 400},
		{named, "OSB.example.com.:8080", "OSB.example.com.:8080", 0},
		{named, "localhost:8080", "localhost:8080", 0},
		{named, "127.0.0.2:8080", "127.0.0.2:8080", 0},
		{named, "[::1]", "[::1]", 0},
		{named, "10.0.0.5:8080", "10.0.0.5:8080", 0},
		{named, "[fd00:0::5]:8080", "[fd00:0::5]:8080", 0},
		{named, "evil.example", "", 421},
		{named, "osb.example.com.evil.example", "", 421},
	} {
		got, err := tc.config.Base(tc.host)
		if tc.status != 0 {
			var e *apierror.Error
			require.ErrorAs(t, err, &e, tc.host)
			require.Equal(t, tc.status, e.Status, tc.host)
			require.NotContains(t, e.Message, "evil")
			continue
		}
		require.NoError(t, err, tc.host)
		require.Equal(t, tc.want, got)
	}
}

func TestResolve(t *testing.T) {
	gateway := func(mode address.Mode, at string, port uint16) address.Config {
		return address.Config{Gateway: &address.Gateway{Mode: mode, Address: at, PublicPort: port}}
	}
	published := map[uint16]netip.AddrPort{
		wire.PortExecd: netip.MustParseAddrPort("0.0.0.0:40001"), wire.PortWeb: netip.MustParseAddrPort("127.0.0.1:40002"),
	}
	routed := func(to string) map[string]string { return map[string]string{wire.DisplayIngressTo: to} }
	for _, tc := range []struct {
		name   string
		config address.Config
		target address.Target
		want   address.Endpoint
	}{
		{"direct", address.Config{}, address.Target{Port: 80}, address.Endpoint{Value: "B/sandboxes/S/proxy/80"}},
		{"direct under v1", address.Config{}, address.Target{Port: 80, Prefix: "/v1"}, address.Endpoint{Value: "B/v1/sandboxes/S/proxy/80"}},
		{"under an eip there is no mount", address.Config{EIP: "https://ext.example.com/os/"}, address.Target{Port: 80, Prefix: "/v1"}, address.Endpoint{Value: "B/sandboxes/S/proxy/80"}},
		{"a blank eip is none", address.Config{EIP: " "}, address.Target{Port: 80, Prefix: "/v1"}, address.Endpoint{Value: "B/v1/sandboxes/S/proxy/80"}},
		{"direct execd", address.Config{}, address.Target{Port: 44772}, address.Endpoint{Value: "B/sandboxes/S/proxy/44772", ToExecd: true}},
		{"published but for our own use", address.Config{}, address.Target{Port: 80, Published: published}, address.Endpoint{Value: "B/sandboxes/S/proxy/80"}},
		{"published web", address.Config{PublishedHost: "h"}, address.Target{Port: 8080, Published: published}, address.Endpoint{Value: "h:40002"}},
		{"published other", address.Config{PublishedHost: "h"}, address.Target{Port: 80, Published: published}, address.Endpoint{Value: "h:40001/proxy/80", ToExecd: true}},
		{"published execd", address.Config{PublishedHost: "http://h/"}, address.Target{Port: 44772, Published: published}, address.Endpoint{Value: "h:40001/proxy/44772", ToExecd: true}},
		{"published IPv6", address.Config{PublishedHost: "[fd00::1]"}, address.Target{Port: 8080, Published: published}, address.Endpoint{Value: "[fd00::1]:40002"}},
		{"published web by way of the server", address.Config{PublishedHost: "h"}, address.Target{Port: 8080, Published: published, Via: address.ViaServer}, address.Endpoint{Value: "B/sandboxes/S/proxy/8080"}},
		{"published other by way of the server", address.Config{PublishedHost: "h"}, address.Target{Port: 80, Published: published, Via: address.ViaServer}, address.Endpoint{Value: "B/sandboxes/S/proxy/80"}},
		{"nothing published", address.Config{PublishedHost: "h"}, address.Target{Port: 80}, address.Endpoint{Value: "B/sandboxes/S/proxy/80"}},
		{"on the host, for our own use", address.Config{}, address.Target{Port: 44772, SharesHost: true, Published: published}, address.Endpoint{Value: "B/sandboxes/S/proxy/44772", ToExecd: true}},
		{"on the host execd", address.Config{PublishedHost: "h"}, address.Target{Port: 44772, SharesHost: true, Published: published}, address.Endpoint{Value: "h:40001", ToExecd: true}},
		{"on the host other", address.Config{PublishedHost: "h"}, address.Target{Port: 80, SharesHost: true, Published: published, ThroughExecd: true}, address.Endpoint{Value: "h:80"}},
		{"on the host web", address.Config{PublishedHost: "fd00::1"}, address.Target{Port: 8080, SharesHost: true, Published: published}, address.Endpoint{Value: "[fd00::1]:8080"}},
		{"on the host and secured", address.Config{PublishedHost: "h"}, address.Target{Port: 80, SharesHost: true, Published: published, Secured: true}, address.Endpoint{Value: "B/sandboxes/S/proxy/80"}},
		{"on the host by way of the server", address.Config{PublishedHost: "h"}, address.Target{Port: 80, SharesHost: true, Published: published, ThroughExecd: true, Via: address.ViaServer}, address.Endpoint{Value: "B/sandboxes/S/proxy/44772/proxy/80", ToExecd: true}},
		{"on the host and paused", address.Config{PublishedHost: "h"}, address.Target{Port: 80, SharesHost: true}, address.Endpoint{Value: "B/sandboxes/S/proxy/80"}},
		{"through execd", address.Config{}, address.Target{Port: 80, Prefix: "/v1", ThroughExecd: true}, address.Endpoint{Value: "B/v1/sandboxes/S/proxy/44772/proxy/80", ToExecd: true}},
		{"through execd with an eip", address.Config{EIP: "e"}, address.Target{Port: 80, Prefix: "/v1", ThroughExecd: true}, address.Endpoint{Value: "B/sandboxes/S/proxy/44772/proxy/80", ToExecd: true}},
		{"through execd of a wildcard", gateway(address.Wildcard, "*.d.example", 0), address.Target{Port: 80, ThroughExecd: true}, address.Endpoint{Value: "S-44772.d.example/proxy/80", ToExecd: true}},
		{"through execd of a uri", gateway(address.URI, "gw.example", 0), address.Target{Port: 80, ThroughExecd: true}, address.Endpoint{Value: "gw.example/S/44772/proxy/80", ToExecd: true}},
		{"through execd of a header", gateway(address.Header, "gw.example", 0), address.Target{Port: 80, ThroughExecd: true}, address.Endpoint{Value: "gw.example/proxy/80", Headers: routed("S-44772"), ToExecd: true}},
		{"a signature does not open execd", gateway(address.URI, "gw.example", 0), address.Target{Port: 80, ThroughExecd: true, Expires: "z", Signature: "s"}, address.Endpoint{Value: "gw.example/S/80/z/s"}},
		{"wildcard", gateway(address.Wildcard, "*.d.example", 0), address.Target{Port: 80}, address.Endpoint{Value: "S-80.d.example"}},
		{"wildcard with a port", gateway(address.Wildcard, "*.d.example", 8443), address.Target{Port: 44772}, address.Endpoint{Value: "S-44772.d.example:8443", ToExecd: true}},
		{"wildcard by way of the server", gateway(address.Wildcard, "*.d.example", 0), address.Target{Port: 80, Via: address.ViaServer}, address.Endpoint{Value: "B/sandboxes/S/proxy/80"}},
		{"uri", gateway(address.URI, "gw.example", 0), address.Target{Port: 80}, address.Endpoint{Value: "gw.example/S/80"}},
		{"uri with prefix", gateway(address.URI, "gw.example/sbx/", 81), address.Target{Port: 80}, address.Endpoint{Value: "gw.example:81/sbx/S/80"}},
		{"uri that names its port", gateway(address.URI, "gw.example:82/sbx", 81), address.Target{Port: 80}, address.Endpoint{Value: "gw.example:82/sbx/S/80"}},
		{"header", gateway(address.Header, "gw.example", 0), address.Target{Port: 80}, address.Endpoint{Value: "gw.example", Headers: routed("S-80")}},
		{"header IPv6", gateway(address.Header, "[fd00::1]", 81), address.Target{Port: 80}, address.Endpoint{Value: "[fd00::1]:81", Headers: routed("S-80")}},
		{"header by way of the server", gateway(address.Header, "gw.example", 0), address.Target{Port: 44772, Via: address.ViaServer}, address.Endpoint{Value: "B/sandboxes/S/proxy/44772", Headers: routed("S-44772"), ToExecd: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.target.SandboxID, tc.target.Base = "S", "B"
			got, err := tc.config.Resolve(tc.target)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			// What the clients accept: no scheme, and a path that ends in the port.
			require.NotContains(t, got.Value, "://")
			if strings.Contains(got.Value, "/") {
				_, last, _ := strings.Cut(got.Value[strings.LastIndex(got.Value, "/"):], "/")
				require.NotEmpty(t, last)
				require.NotContains(t, last, "/")
			}
		})
	}
}

func TestLabelLimit(t *testing.T) {
	c := address.Config{Gateway: &address.Gateway{Mode: address.Wildcard, Address: "*.d.example"}}
	_, err := c.Resolve(address.Target{SandboxID: strings.Repeat("a", 57), Port: 65535})
	require.NoError(t, err, "63 octets fit")
	for _, via := range []address.Via{address.ViaConfigured, address.ViaServer} {
		_, err = c.Resolve(address.Target{SandboxID: strings.Repeat("a", 58), Port: 65535, Via: via})
		if via == address.ViaServer {
			require.NoError(t, err, "the way out that the message names has to work")
			continue
		}
		var e *apierror.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, 400, e.Status)
		require.Equal(t, "SANDBOX::INVALID_PARAMETER", e.Code)
	}
}
