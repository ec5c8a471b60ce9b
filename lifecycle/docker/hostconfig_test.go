package docker

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func runtimeWith(t *testing.T, o Options) *Runtime {
	t.Helper()
	o.Instance, o.ExecdImage = "test", "execd"
	o, err := o.withDefaults()
	require.NoError(t, err)
	p, err := newProfile(o)
	require.NoError(t, err)
	return &Runtime{opts: o, profile: p, log: o.Logger}
}

func TestHostConfigDefaults(t *testing.T) {
	hc := runtimeWith(t, Options{NetworkMode: "bridge"}).hostConfig(lifecycle.Limits{})
	require.Equal(t, container.NetworkMode("bridge"), hc.NetworkMode)
	require.ElementsMatch(t, []string{"AUDIT_WRITE", "MKNOD", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_TIME", "SYS_TTY_CONFIG"}, hc.CapDrop)
	require.Equal(t, []string{"no-new-privileges:true"}, hc.SecurityOpt)
	require.EqualValues(t, 4096, *hc.PidsLimit)
	require.Zero(t, hc.Memory)
	require.Zero(t, hc.MemorySwap)
	require.Zero(t, hc.NanoCPUs)
	require.Empty(t, hc.DeviceRequests)
	require.Empty(t, hc.Binds, "mounts are structured, never strings")
	require.Empty(t, hc.CapAdd)
	require.False(t, hc.Privileged)
}

func TestHostConfigLimits(t *testing.T) {
	r := runtimeWith(t, Options{})
	hc := r.hostConfig(lifecycle.Limits{MemoryBytes: 512 << 20, NanoCPUs: 5e8, GPUs: -1})
	require.EqualValues(t, 512<<20, hc.Memory)
	require.EqualValues(t, 512<<20, hc.MemorySwap, "no swap on top of the limit")
	require.EqualValues(t, 5e8, hc.NanoCPUs)
	body, err := json.Marshal(hc.DeviceRequests)
	require.NoError(t, err)
	require.JSONEq(t, `[{"Driver":"","Count":-1,"DeviceIDs":[],"Capabilities":[["gpu"]],"Options":{}}]`, string(body))
}

func TestHardeningOptions(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "seccomp.json")
	require.NoError(t, os.WriteFile(profile, []byte("{\n \"defaultAction\": \"SCMP_ACT_ERRNO\"\n}\n"), 0o600))
	r := runtimeWith(t, Options{DropCapabilities: []string{}, AppArmorProfile: "docker-default", SeccompProfile: profile, PidsLimit: -1, OCIRuntime: "runsc"})
	hc := r.hostConfig(lifecycle.Limits{})
	require.Empty(t, hc.CapDrop)
	require.Nil(t, hc.PidsLimit)
	require.Equal(t, "runsc", hc.Runtime)
	require.Equal(t, []string{"no-new-privileges:true", "apparmor=docker-default", `seccomp={"defaultAction":"SCMP_ACT_ERRNO"}`}, hc.SecurityOpt)

	inline := runtimeWith(t, Options{SeccompProfile: `{ "defaultAction": "SCMP_ACT_LOG" }`}).hostConfig(lifecycle.Limits{})
	require.Contains(t, inline.SecurityOpt, `seccomp={"defaultAction":"SCMP_ACT_LOG"}`)

	open := runtimeWith(t, Options{AllowNewPrivileges: true, SeccompProfile: "unconfined"}).hostConfig(lifecycle.Limits{})
	require.Equal(t, []string{"seccomp=unconfined"}, open.SecurityOpt)
}

func TestSeccompIsCheckedAtStart(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"text": "unconfined", "list": "[]", "empty": "{}", "large": `{"defaultAction":"` + strings.Repeat("x", maxSeccompBytes) + `"}`} {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err := newProfile(Options{SeccompProfile: file})
		require.ErrorContains(t, err, "docker.seccomp_profile", name)
	}
	_, err := newProfile(Options{SeccompProfile: filepath.Join(dir, "absent")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestLogsAreBounded(t *testing.T) {
	require.Equal(t, map[string]string{"max-size": "10485760", "max-file": "3"}, logConfig("json-file").Config)
	require.Empty(t, logConfig("json-file").Type, "the driver is the operator's")
	require.Empty(t, logConfig("journald").Config)
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := Options{
		Instance: "a b", Adopt: "some", NetworkMode: "container:x",
	}.withDefaults()
	for _, part := range []string{"instance", "docker.adopt", "docker.network_mode", "execd_image"} {
		require.ErrorContains(t, err, part, "all violations at once")
	}
	for _, mode := range []string{"none", "container:abc", "a b", "../x", "-x"} {
		_, err := Options{Instance: "a", ExecdImage: "b", NetworkMode: mode}.withDefaults()
		require.ErrorContains(t, err, "docker.network_mode", mode)
	}
	o, err := Options{Instance: "a", ExecdImage: "b", NetworkMode: "MyNet"}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, "MyNet", o.NetworkMode, "case is kept")
	o, err = Options{Instance: "a", ExecdImage: "b"}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, "host", o.NetworkMode)
	require.Equal(t, AdoptUnclaimed, o.Adopt)
}

func TestLimitRefusals(t *testing.T) {
	for text, key := range map[string]string{
		"Error response from daemon: Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available": "resourceLimits.cpu",
		"Error response from daemon: Minimum memory limit allowed is 6MB":                                    "resourceLimits.memory",
		"could not select device driver \"\" with capabilities: [[gpu]]":                                     "resourceLimits.gpu",
	} {
		var typed *apierror.Error
		require.ErrorAs(t, limitRefusal(errors.New(text)), &typed, text)
		require.Equal(t, 400, typed.Status)
		require.Equal(t, "SANDBOX::INVALID_PARAMETER", typed.Code)
		require.Contains(t, typed.Message, key)
	}
	require.NoError(t, limitRefusal(errors.New("exec format error")))
	require.NoError(t, limitRefusal(nil))
}

func TestTwoKindsOfNotFound(t *testing.T) {
	for text, image := range map[string]bool{
		"Error response from daemon: No such image: python:3.11":                                                            true,
		"No such image: my-network-tool:latest":                                                                             true,
		"image with reference network:1 was found but does not match the specified platform: wanted linux/arm64, actual: x": true,
		"docker.io/library/x:latest: not found":                                                                             true,
		"network edge not found":                                                                                            false,
	} {
		require.Equal(t, image, imageMissing(errors.New(text)), text)
	}
}

func TestReferencesTheEngineRefusesAreTheClients(t *testing.T) {
	var typed *apierror.Error
	require.ErrorAs(t, refusedSettings(errdefs.ErrInvalidArgument.WithMessage("invalid reference format: repository name must be lowercase")), &typed)
	require.Equal(t, 400, typed.Status)
	require.Contains(t, typed.Message, "image.uri")
	require.ErrorAs(t, refusedSettings(errdefs.ErrInvalidArgument.WithMessage("invalid hostname")), &typed)
	require.Equal(t, 400, typed.Status)
	require.NotContains(t, typed.Message, "image.uri")
}
