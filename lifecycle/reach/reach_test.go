package reach_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/reach"
)

func TestAddresses(t *testing.T) {
	for addr, want := range map[string]struct{ sandbox, any bool }{
		"10.0.0.1": {true, true}, "172.17.0.2": {true, true}, "203.0.113.9": {true, true}, "fd00::5": {true, true},
		"127.0.0.1": {false, true}, "::1": {false, true}, "::ffff:127.0.0.1": {false, true}, "127.9.9.9": {false, true},
		"169.254.169.254": {}, "::ffff:169.254.169.254": {}, "fe80::1": {}, "fe80::1%eth0": {},
		"fd00:ec2::254": {}, "fd20:ce::254": {}, "100.100.100.200": {}, "168.63.129.16": {}, "192.0.0.192": {}, "::ffff:192.0.0.192": {},
		"0.0.0.0": {}, "::": {}, "224.0.0.1": {}, "ff02::1": {}, "255.255.255.255": {},
	} {
		a := netip.MustParseAddr(addr)
		require.Equal(t, want.sandbox, reach.Sandbox(a), addr)
		require.Equal(t, want.any, reach.Address(a), addr)
	}
	require.False(t, reach.Sandbox(netip.Addr{}))
	require.False(t, reach.Address(netip.Addr{}))
}

func TestHosts(t *testing.T) {
	for host, ok := range map[string]bool{
		"docker.io": true, "localhost:5000": true, "10.0.0.1:5000": true, "registry.example.com": true, "127.0.0.1:5000": true,
		"[fd00::1]:5000": true, "0xcafe.example.com": true, "1.example.com": true, "registry.example.com.": true,
		"": false, "169.254.169.254": false, "169.254.169.254:80": false, "169.254.169.254.": false, "[fe80::1]:5000": false,
		"[fd00:ec2::254]:80": false, "[fd20:ce::254]": false, "[::ffff:169.254.169.254]:80": false, "[::ffff:a9fe:a9fe]:80": false,
		"100.100.100.200": false, "192.0.0.192:443": false,
		"metadata": false, "metadata.google.internal": false, "METADATA.google.internal.:80": false, "metadata.goog": false, "instance-data.ec2.internal": false,
		"2852039166:80": false, "0xa9fea9fe:80": false, "0251.0376.0251.0376": false, "169.254.43518": false, "0xA9.0xFE.0xA9.0xFE:80": false,
		"999.1.1.1": false, "0.0.0.0:5000": false, "224.0.0.1": false,
	} {
		require.Equal(t, ok, reach.Host(host), "%q", host)
	}
}
