package docker

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hardening"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
	"github.com/opensandbox-edge/edge/lifecycle/image"
)

func runtimeWith(t *testing.T, o Options) *Runtime {
	t.Helper()
	o.Instance, o.ExecdImage = "test", "execd"
	o, err := o.withDefaults()
	require.NoError(t, err)
	p, err := hardening.New(o.Hardening)
	require.NoError(t, err)
	return &Runtime{opts: o, profile: p, log: o.Logger}
}

func TestHostConfigOfASandbox(t *testing.T) {
	r := runtimeWith(t, Options{NetworkMode: "bridge", Hardening: hardening.Options{OCIRuntime: "runsc", DefaultMemory: 1 << 30}})
	mounts := []mount.Mount{{Target: "/data"}}
	hc := r.hostConfig(lifecycle.Limits{MemoryBytes: 512 << 20, NanoCPUs: 5e8, GPUs: -1}, mounts)
	require.Equal(t, container.NetworkMode("bridge"), hc.NetworkMode)
	require.Equal(t, "runsc", hc.Runtime)
	require.Equal(t, mounts, hc.Mounts)
	require.Empty(t, hc.Binds, "mounts are structured, never strings")
	require.EqualValues(t, 512<<20, hc.Memory)
	require.EqualValues(t, 512<<20, hc.MemorySwap, "no swap on top of the limit")
	require.EqualValues(t, 5e8, hc.NanoCPUs)
	body, err := json.Marshal(hc.DeviceRequests)
	require.NoError(t, err)
	require.JSONEq(t, `[{"Driver":"","Count":-1,"DeviceIDs":[],"Capabilities":[["gpu"]],"Options":{}}]`, string(body))

	hc = r.hostConfig(lifecycle.Limits{}, nil)
	require.EqualValues(t, 1<<30, hc.Memory, "the operator's default")
	require.EqualValues(t, 1<<30, hc.MemorySwap)
	require.Zero(t, hc.NanoCPUs)
	require.Empty(t, hc.DeviceRequests)
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := Options{
		Instance: "a b", Adopt: "some", NetworkMode: "container:x",
	}.withDefaults()
	for _, part := range []string{"instance", "docker.adopt", "docker.network_mode", "execd_image"} {
		require.ErrorContains(t, err, part, "all violations at once")
	}
	_, err = Options{Instance: "a", ExecdImage: "b", NetworkMode: "host", Hardening: hardening.Options{OCIRuntime: "runsc"}, PullPolicy: "some"}.withDefaults()
	require.ErrorContains(t, err, "secure_runtime needs a network")
	require.ErrorContains(t, err, "docker.pull_policy")
	_, err = Options{Instance: "a", ExecdImage: "b", Reach: "some", Ports: hostport.Range{Min: 80, Max: 90}}.withDefaults()
	require.ErrorContains(t, err, "docker.reach")
	require.ErrorContains(t, err, "docker.port_range_min")
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
	require.Equal(t, ReachAuto, o.Reach)
	require.Equal(t, loopback, o.PublishAddress, "nobody else gets past the server unasked")
	require.Equal(t, hostport.Default, o.Ports)
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

func TestRefusalsOfTheOperatorsOptions(t *testing.T) {
	for text, key := range map[string]string{
		"Error response from daemon: --storage-opt is supported only for overlay over xfs with 'pquota' mount option":                            "docker.storage_size",
		"OCI runtime create failed: container_linux.go: error setting rlimits for process: error setting rlimit type 7: operation not permitted": "docker.ulimits",
		"OCI runtime create failed: apply apparmor profile: apparmor failed to apply profile: write: no such file or directory":                  "docker.apparmor_profile",
		"Decoding seccomp profile failed: invalid character":                                                                                     "docker.seccomp_profile",
		"Error response from daemon: Unknown runtime specified: unknown or invalid runtime name: runsc":                                          "secure_runtime.docker_runtime",
	} {
		for _, err := range []error{refusedSettings(errdefs.ErrInvalidArgument.WithMessage(text)), runtimeWith(t, Options{}).startError(t.Context(), errors.New(text))} {
			var typed *apierror.Error
			require.ErrorAs(t, err, &typed, text)
			require.Equal(t, 500, typed.Status, text)
			require.Contains(t, typed.Message, key)
		}
	}
	require.NoError(t, operatorRefusal(errors.New("exec: \"apparmor_parser\": executable file not found in $PATH")))
	pulled := pullError(reasonNetwork, image.Reference{Name: "seccomp profile"}, errors.New("range of cpus"))
	require.Equal(t, pulled, runtimeWith(t, Options{}).startError(t.Context(), pulled), "a typed error stands")
}

func TestDiskFloor(t *testing.T) {
	dir := t.TempDir()
	none, err := newDiskFloor(true, "/absent", 0)
	require.NoError(t, err)
	require.NoError(t, none.check())
	low, err := newDiskFloor(true, dir, 1)
	require.NoError(t, err)
	require.NoError(t, low.check())
	high, err := newDiskFloor(true, dir, math.MaxInt64)
	require.NoError(t, err)
	require.ErrorContains(t, high.check(), "docker.pull_min_free")
	for _, unseen := range []struct {
		local  bool
		folder string
	}{{false, dir}, {true, dir + "/absent"}} {
		blind, err := newDiskFloor(unseen.local, unseen.folder, 1)
		require.Error(t, err)
		require.NoError(t, blind.check(), "no floor rather than no pulls")
	}
}
