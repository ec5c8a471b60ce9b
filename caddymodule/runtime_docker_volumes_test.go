package caddymodule

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
)

func TestWhatSandboxesMayMount(t *testing.T) {
	c := new(config.Config)
	c.Path, c.Store.Path, c.Server.TLSKeyFile = "/home/me/.sandbox.toml", "/var/lib/edge/edge.db", "/home/me/tls.key"
	c.Storage = config.Storage{
		AllowedHostPaths: []string{"/srv"}, CreateHostPaths: true, AllowedVolumes: []string{},
		AllowedEndpoints: []string{"*.example.com"}, OSSFSMountRoot: "/mnt/oss",
	}
	v := dockerVolumes(c)
	require.Equal(t, []string{"/srv"}, v.Policy.HostPaths)
	require.NotNil(t, v.Policy.Claims, "an empty list is not an absent one")
	require.Equal(t, []string{"*.example.com"}, v.Policy.Endpoints)
	require.False(t, v.NoCreate)
	require.Equal(t, "/mnt/oss", v.OSSFSRoot)
	require.Subset(t, v.Protected, []string{"/home/me/.sandbox.toml", "/home/me/tls.key", "/var/lib/edge/edge.db", "/var/lib/edge/edge.db-wal", "/var/lib/edge/edge.db.secret"})
	require.NotContains(t, v.Protected, "")
}
