package address

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublicHost(t *testing.T) {
	for _, tc := range []struct {
		eip, serverHost, hostIP string
		contained               bool
		want                    string
	}{
		{" https://osb.example.com:8443/x/", "10.0.0.5", "192.0.2.9", true, "osb.example.com"},
		{"1.2.3.4", "", "", false, "1.2.3.4"},
		{"[fd00::1]:80", "", "", false, "fd00::1"},
		{"", "10.0.0.5", "192.0.2.9", true, "10.0.0.5"},
		{"", "[fd00::1]", "", false, "fd00::1"},
		{"", "osb.example.com", "", false, "osb.example.com"},
		{"", "0.0.0.0", "192.0.2.9", false, "outward"},
		{"", "0.0.0.0", "192.0.2.9", true, "192.0.2.9"},
		{"", "::", "host.docker.internal", true, "host.docker.internal"},
		{"", "[::]", "[fd00::9]", true, "fd00::9"},
		{"", "", "", true, "outward"},
		{"", "127.0.0.1", "192.0.2.9", true, "192.0.2.9"},
		{"", "localhost", "192.0.2.9", true, "192.0.2.9"},
		{"", "::1", "192.0.2.9", true, "192.0.2.9"},
		{"", "127.0.0.1", "192.0.2.9", false, "127.0.0.1"},
		{"", "127.0.0.1", "", true, "127.0.0.1"},
	} {
		got := publicHost(tc.eip, tc.serverHost, tc.hostIP, tc.contained, func() string { return "outward" })
		require.Equal(t, tc.want, got, "%+v", tc)
	}
	addr, err := netip.ParseAddr(outwardHost())
	require.NoError(t, err)
	require.True(t, addr.Is4() && !addr.IsUnspecified())
}

func TestContainersAreFoundOut(t *testing.T) {
	for _, tc := range []struct {
		said, file string
		want       bool
	}{
		{"", "", false},
		{"", "/.dockerenv", true},
		{"", "/run/.containerenv", true},
		{"false", "/.dockerenv", false},
		{"1", "", true},
		{"perhaps", "/.dockerenv", true},
	} {
		got := inContainer(func(string) string { return tc.said }, func(path string) bool { return path == tc.file })
		require.Equal(t, tc.want, got, "%+v", tc)
	}
}
