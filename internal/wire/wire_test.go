package wire_test

import (
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/wire"
)

// Header maps are indexed with these names, so another spelling would find nothing.
func TestHeadersAreCanonical(t *testing.T) {
	for _, name := range append([]string{
		wire.HeaderAccessRenew, wire.HeaderIngressTo, wire.HeaderIngressToLegacy, wire.HeaderRequestID, wire.HeaderPoweredBy,
	}, wire.Credentials...) {
		require.Equal(t, textproto.CanonicalMIMEHeaderKey(name), name)
	}
	for display, name := range map[string]string{
		wire.DisplayAPIKey: wire.HeaderAPIKey, wire.DisplayExecdToken: wire.HeaderExecdToken, wire.DisplaySecureAccess: wire.HeaderSecureAccess, wire.DisplayIngressTo: wire.HeaderIngressTo,
	} {
		require.Equal(t, name, textproto.CanonicalMIMEHeaderKey(display))
	}
}

func TestValidID(t *testing.T) {
	for id, ok := range map[string]bool{
		"160808dc-2c0c-48c3-875a-06ab3e948cdb": true, "A_b-1": true, strings.Repeat("a", 63): true, "proxy": true,
		"": false, "a.b": false, "a/b": false, "ä": false, "a\n": false, "..": false, "%": false, strings.Repeat("a", 64): false,
		"v1": false, "sandboxes": false, "snapshots": false, "pools": false, "metrics": false, "health": false, "docs": false, "redoc": false,
	} {
		require.Equal(t, ok, wire.ValidID(id), "%q", id)
	}
}

func TestRequestID(t *testing.T) {
	for _, good := range []string{"a", "req-1/2:3", strings.Repeat("x", 128)} {
		require.Equal(t, good, wire.RequestID(good))
	}
	require.Equal(t, "a", wire.RequestID(" a "))
	for _, bad := range []string{"", " ", "a b", "a\x00", "a\nb", "ä", strings.Repeat("x", 129)} {
		id := wire.RequestID(bad)
		require.NotEqual(t, bad, id)
		require.Regexp(t, `^[0-9a-f]{32}$`, id)
		require.NotEqual(t, id, wire.RequestID(bad), "ids are random")
	}
}
