package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSharedDomain(t *testing.T) {
	for _, c := range []struct {
		gateway, api string
		shared       bool
	}{
		{"*.sb.example.com", "api.example.com", true},
		{"*.sb.example.com", "EXAMPLE.com.", true},
		{"gw.example.com:8443/sbx", "https://api.example.com", true},
		{"*.sb.example.co.uk", "api.other.co.uk", false},
		{"*.example.net", "api.example.com", false},
		{"*.a.github.io", "b.github.io", false}, // a public suffix
		{"*.sandbox.localhost", "localhost", false},
		{"10.1.0.1", "10.2.0.1", false},
		{"gw.example.com", "10.2.0.1:80", false},
		{"gw.example.com", "[fd00::1]:80", false},
		{"gw", "gw", false},
		{"*.sb.example.com", "0.0.0.0", false},
	} {
		config := &Config{}
		config.Ingress = Ingress{Mode: ModeGateway, Gateway: Gateway{Address: c.gateway, Route: Route{Mode: RouteWildcard}}}
		config.Server.PublicHosts = []string{c.api}
		_, _, shared := config.SharedDomain()
		require.Equal(t, c.shared, shared, "%s %s", c.gateway, c.api)
		config.Ingress.Mode = ModeDirect
		_, _, shared = config.SharedDomain()
		require.False(t, shared)
	}
}
