//go:build docker

package docker

import (
	"runtime"
	"strings"
	"testing"

	dockerimage "github.com/docker/docker/api/types/image"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
)

// What a restored sandbox gets is the disk, and nothing that was said to the source.
func TestASnapshotKeepsTheDiskAlone(t *testing.T) {
	cli := engineClient(t)
	r := open(t, nil)
	source := spec(uuid.NewString())
	source.Timeout = 0
	source.Entrypoint = []string{"sh", "-c", "sleep 3600 # commandsecret"}
	source.Env = []lifecycle.EnvVar{{Name: "KEY", Value: "envsecret"}, {Name: "PATH", Value: "/envsecret:/bin:/usr/bin"}}
	source.Metadata = map[string]string{"owner": "metasecret"}
	source.ExecdTokenSHA256 = strings.Repeat("ab", 32)
	_, err := r.Create(t.Context(), source)
	require.NoError(t, err)
	_, code := run(t, cli, source.ID, "sh", "-c", "echo kept > /kept.txt")
	require.Zero(t, code)

	require.NoError(t, r.Pause(t.Context(), source.ID))
	id := uuid.NewString()
	name, err := r.TakeSnapshot(t.Context(), source.ID, id)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = cli.ImageRemove(t.Context(), name, dockerimage.RemoveOptions{Force: true})
	})
	require.Equal(t, "opensandbox-snapshots:"+id, name)
	state, err := r.Inspect(t.Context(), source.ID)
	require.NoError(t, err)
	require.Equal(t, lifecycle.Paused, state.Status.State, "it stays as it was")
	listed, err := r.ListSnapshots(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{id}, listed)

	image, err := cli.ImageInspect(t.Context(), name)
	require.NoError(t, err)
	settings := strings.Join(append(append(image.Config.Env, image.Config.Cmd...), image.Config.Entrypoint...), "\n")
	for key, value := range image.Config.Labels {
		settings += "\n" + key + "=" + value
	}
	for _, secret := range []string{"commandsecret", "envsecret", "metasecret", source.ExecdTokenSHA256, source.ID} {
		require.NotContains(t, settings, secret)
	}
	require.NoError(t, r.Delete(t.Context(), source.ID))

	restored := spec(uuid.NewString())
	restored.Image, restored.SnapshotID = name, id
	inst, err := r.Create(t.Context(), restored)
	require.NoError(t, err)
	require.Equal(t, id, inst.Seed.SnapshotID)
	require.Empty(t, inst.Seed.Image)
	require.Empty(t, inst.Seed.Metadata)
	require.False(t, inst.Seed.ExpiresAt.IsZero(), "the source had none")
	out, _ := run(t, cli, restored.ID, "cat", "/kept.txt")
	require.Equal(t, "kept\n", out)
	out, _ = run(t, cli, restored.ID, "env")
	require.NotContains(t, out, "secret")
	require.Contains(t, out, wire.EnvSandboxID+"="+restored.ID)
	require.ErrorIs(t, r.RemoveSnapshot(t.Context(), id), snapshots.ErrInUse)

	foreign := spec(uuid.NewString())
	foreign.Image, foreign.SnapshotID = name, id
	foreign.Platform = &lifecycle.Platform{OS: "linux", Arch: map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]}
	_, err = r.Create(t.Context(), foreign)
	var answer *apierror.Error
	require.ErrorAs(t, err, &answer)
	require.Equal(t, 400, answer.Status, "it is there, for another platform: %v", err)

	require.NoError(t, r.Delete(t.Context(), restored.ID))
	require.NoError(t, r.RemoveSnapshot(t.Context(), id))
	require.NoError(t, r.RemoveSnapshot(t.Context(), id), "nothing there")
	found, err := r.FindSnapshot(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, found)

	restored.ID = uuid.NewString()
	_, err = r.Create(t.Context(), restored)
	require.ErrorAs(t, err, &answer, "it was removed after the create was checked")
	require.Equal(t, 404, answer.Status)
	require.Equal(t, "SNAPSHOT::NOT_FOUND", answer.Code)
}
