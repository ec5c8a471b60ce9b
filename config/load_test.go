package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const minimal = "[runtime]\ntype = \"docker\"\nexecd_image = \"opensandbox/execd:latest\"\n"

// env is a fixed environment.
func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func parse(document string, pairs ...string) (*Loaded, error) {
	return Parse(Options{Path: "test.toml", Lookup: env(pairs...), Home: "/home/u"}, []byte(document))
}

func TestDefaults(t *testing.T) {
	l, err := parse(minimal)
	require.NoError(t, err)
	c := l.Config
	require.Equal(t, "0.0.0.0:8080", c.Server.ListenAddress())
	require.Empty(t, c.Server.Keys())
	require.Equal(t, 35*time.Second, c.Server.IdleTimeout())
	require.Equal(t, "host", c.Docker.NetworkMode)
	require.EqualValues(t, 4096, c.Docker.PidsLimit)
	require.Equal(t, 180*time.Second, c.Docker.APITimeout)
	require.Len(t, c.Docker.DropCapabilities, 9)
	require.True(t, c.Docker.NoNewPrivileges)
	require.Equal(t, time.Hour, c.Docker.PendingFailureTTL)
	require.Equal(t, "/home/u/.opensandbox/opensandbox.db", c.Store.Path)
	require.Equal(t, "/home/u/logs/opensandbox/server.log", c.Log.FilePath)
	require.Equal(t, "direct", c.Ingress.Mode)
	require.Empty(t, c.Ingress.Routes())
	require.NotNil(t, c.Storage.AllowedHostPaths)
	require.Empty(t, c.Storage.AllowedHostPaths)
	require.Nil(t, c.Image.AllowedRegistries)
	require.Equal(t, "opensandbox:renew:intent", c.RenewIntent.Redis.QueueKey)
	require.Empty(t, l.Report.Warnings)
	require.Equal(t, FromDefault, l.Report.Origin("server.port").Source)
	require.Equal(t, Origin{Source: FromFile, Line: 2}, l.Report.Origin("runtime.type"))
}

func TestStampsTellVersionsOfTheFileApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edge.toml")
	require.Zero(t, StampOf(path))
	require.NoError(t, os.WriteFile(path, []byte(minimal), 0o600))
	l, err := Load(Options{Path: path, Lookup: env()})
	require.NoError(t, err)
	require.NotZero(t, l.Stamp)
	require.Equal(t, StampOf(path), l.Stamp)
	require.NoError(t, os.WriteFile(path, []byte(minimal+"\n"), 0o600))
	require.NotEqual(t, StampOf(path), l.Stamp)
}
