package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/secret"
)

// What init-config writes for Docker leaves no sandbox without bounds, and no login of
// the server's to its callers (threat row K14).
func TestGeneratedFilesLimitSandboxes(t *testing.T) {
	for _, kind := range []Template{Docker, DockerZH} {
		body, err := Example(kind, secret.Text{})
		require.NoError(t, err)
		l, err := Parse(Options{Lookup: func(string) (string, bool) { return "", false }}, body)
		require.NoError(t, err)
		d := l.Config.Docker
		require.False(t, d.ShareRegistryAuth)
		require.Equal(t, "2Gi", d.Hardening.DefaultMemory)
		require.Equal(t, "2", d.Hardening.DefaultCPU)
		require.EqualValues(t, 4096, d.PidsLimit)
		require.EqualValues(t, 10<<20, d.Hardening.LogMaxBytes)
		require.Equal(t, 3, d.Hardening.LogMaxFiles)
		require.True(t, d.NoNewPrivileges)
	}
}
