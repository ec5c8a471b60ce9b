//go:build docker

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/test/edge"
)

// mounting is a create request with volumes.
func mounting(s *edge.Server, volumes ...map[string]any) map[string]any {
	return map[string]any{
		"image": map[string]string{"uri": s.DemoImage}, "entrypoint": []string{"sleep", "3600"}, "timeout": 300,
		"resourceLimits": map[string]string{}, "volumes": volumes,
	}
}

func owned(name string) map[string]any {
	return map[string]any{"name": "cache", "mountPath": "/cache", "pvc": map[string]any{"claimName": name, "deleteOnSandboxTermination": true}}
}

// named lists the engine's volumes of a name.
func named(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "volume", "ls", "-q", "--filter", "name="+name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// dropVolumes removes what a test that failed leaves.
func dropVolumes(t *testing.T, names ...string) {
	t.Cleanup(func() {
		out, err := exec.Command("docker", append([]string{"volume", "rm", "-f"}, names...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
}

// noVolume waits until the engine has no volume of a name.
func noVolume(t *testing.T, name string) {
	t.Helper()
	eventually(t, func() error {
		if named(t, name) != "" {
			return errNotYet
		}
		return nil
	})
}

// mountsBelow counts the host's mounts below a folder.
func mountsBelow(t *testing.T, root string) int {
	t.Helper()
	list, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	return strings.Count(string(list), " "+root+"/")
}

// One sandbox with a volume of every kind: what it writes is where it belongs, and its
// expiry gives back what was made for it, and nothing else.
func TestVolumesOfEveryKindEndWithTheSandbox(t *testing.T) {
	allowed, root, programs := t.TempDir(), t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(programs+"/bucket", 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(programs, "ossfs2"), []byte("#!/bin/sh\nexec mount --bind \"$(dirname \"$0\")/bucket\" \"$2\"\n"), 0o755))
	s := prepare(t, fmt.Sprintf("[storage]\nallowed_host_paths = [%q]\nossfs_mount_root = %q\nallowed_oss_endpoints = [\"*.example.com\"]\nallowed_volumes = []\n", allowed, root))
	s.Env = []string{"PATH=" + programs + ":" + os.Getenv("PATH")}
	require.NoError(t, s.Start(t.Context()))

	kept, gone := s.Instance+"-kept", s.Instance+"-gone"
	dropVolumes(t, kept, gone)
	var sandbox edge.Sandbox
	require.NoError(t, s.Call(t.Context(), "POST", "/v1/sandboxes", mounting(
		s,
		owned(gone),
		map[string]any{"name": "kept", "mountPath": "/kept", "pvc": map[string]any{"claimName": kept}},
		map[string]any{"name": "host", "mountPath": "/host", "host": map[string]any{"path": allowed}, "subPath": "a/b"},
		map[string]any{"name": "oss", "mountPath": "/oss", "ossfs": map[string]any{
			"bucket": "bucket", "endpoint": "oss.example.com", "accessKeyId": "the-id", "accessKeySecret": "hunter2-hunter2",
		}},
	), &sandbox))
	endpoint, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
	require.NoError(t, err)
	route := s.Route(edge.Direct, sandbox.ID, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"])
	defer route.Close()
	out, err := route.Command(t.Context(), "for d in cache kept host oss; do echo $d > /$d/file && cat /$d/file; done")
	require.NoError(t, err)
	require.Equal(t, "cache kept host oss", strings.Join(strings.Fields(out), " "))
	require.FileExists(t, allowed+"/a/b/file")
	require.FileExists(t, programs+"/bucket/file")
	require.Equal(t, 1, mountsBelow(t, root))
	inspected, err := s.Inspect(t.Context())
	require.NoError(t, err)
	require.NotContains(t, inspected+s.Log(), "hunter2")

	require.NoError(t, s.Renew(t.Context(), sandbox.ID, time.Now().Add(time.Second)))
	taken(t, s, sandbox.ID)
	noVolume(t, gone)
	require.Equal(t, kept, named(t, kept))
	require.Zero(t, mountsBelow(t, root))
	require.FileExists(t, allowed+"/a/b/file")

	err = s.Call(t.Context(), "POST", "/v1/sandboxes", mounting(s, map[string]any{"name": "v", "mountPath": "/v", "host": map[string]any{"path": s.Dir}}), nil)
	requireStatus(t, err, 400, "VOLUME::HOST_PATH_NOT_ALLOWED")
}

// An operator who allows every path has not given away the server's own files.
func TestTheServersFilesAreNeverMounted(t *testing.T) {
	s := start(t, "[storage]\nallowed_host_paths = [\"/\"]\n")
	for _, path := range []string{"/", s.Dir, s.ConfigPath(), s.Dir + "/store", s.Dir + "/store/opensandbox.db", s.Dir + "/store/opensandbox.db.secret", "/var/run/docker.sock", "/run"} {
		err := s.Call(t.Context(), "POST", "/v1/sandboxes", mounting(s, map[string]any{"name": "v", "mountPath": "/v", "host": map[string]any{"path": path}}), nil)
		requireStatus(t, err, 400, "VOLUME::HOST_PATH_NOT_ALLOWED")
	}
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestVolumesOfACreateThatWasCutOffAreRemoved(t *testing.T) {
	for name, at := range map[string]moment{
		"before the container is made": {enginetest.CreateContainer, 1, false},
		"after the container started":  {enginetest.StartContainer, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, proxy := behindProxy(t)
			volume := s.Instance + "-cut"
			dropVolumes(t, volume)
			create(t, s, request(s)) // execd is prepared: the next create is the sandbox's
			proxy.Fault(at.fault(s))
			require.Error(t, s.Call(t.Context(), "POST", "/v1/sandboxes", mounting(s, owned(volume)), nil))
			<-s.Ended()
			require.NotEmpty(t, named(t, volume))
			proxy.Release()
			require.NoError(t, s.Start(t.Context()))
			noVolume(t, volume)
		})
	}
}
