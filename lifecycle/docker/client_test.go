package docker

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
)

func TestUnusableEngineFailsTheStart(t *testing.T) {
	for name, host := range map[string]string{
		"no socket":      "unix://" + filepath.Join(t.TempDir(), "absent.sock"),
		"nobody listens": "tcp://127.0.0.1:1",
		"ssh":            "ssh://user@host",
		"no address":     "nonsense",
		"no such scheme": "gopher://x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", host)
			_, err := New(t.Context(), Options{Instance: "test", ExecdImage: "execd"})
			var typed *apierror.Error
			require.ErrorAs(t, err, &typed)
			require.Equal(t, http.StatusServiceUnavailable, typed.Status)
			require.Equal(t, "DOCKER::INITIALIZATION_ERROR", typed.Code)
			require.Contains(t, typed.Message, "DOCKER_HOST")
		})
	}
}

func TestMissingTLSFilesFailTheStart(t *testing.T) {
	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	t.Setenv("HOME", t.TempDir())
	_, err := New(t.Context(), Options{Instance: "test", ExecdImage: "execd"})
	require.ErrorContains(t, err, "TLS")
}

func TestHostsAreShownWithoutUser(t *testing.T) {
	require.Equal(t, "tcp://host:2376", redactHost("tcp://user:hunter2@host:2376"))
	require.Equal(t, "unix:///run/docker.sock", redactHost("unix:///run/docker.sock"))
	require.NotContains(t, redactHost("hunter2"), "hunter2")
}
