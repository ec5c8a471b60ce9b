package address_test

import (
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/api/address"
)

func TestPublicHost(t *testing.T) {
	for _, tc := range []struct{ eip, serverHost, want string }{
		{" https://osb.example.com:8443/x/", "10.0.0.5", "osb.example.com"},
		{"1.2.3.4", "", "1.2.3.4"},
		{"[fd00::1]:80", "", "fd00::1"},
		{"", "10.0.0.5", "10.0.0.5"},
		{"", "[fd00::1]", "fd00::1"},
		{"", "osb.example.com", "osb.example.com"},
	} {
		require.Equal(t, tc.want, address.PublicHost(tc.eip, tc.serverHost, "192.0.2.9"))
	}
	for _, wildcard := range []string{"", "0.0.0.0", "::", "[::]"} {
		got := address.PublicHost("", wildcard, "192.0.2.9")
		if _, err := os.Stat("/.dockerenv"); err == nil {
			require.Equal(t, "192.0.2.9", got)
			continue
		}
		addr, err := netip.ParseAddr(got)
		require.NoError(t, err)
		require.True(t, addr.Is4() && !addr.IsUnspecified())
	}
}
