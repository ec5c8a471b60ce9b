//go:build docker

package docker

import (
	"context"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/namedvolume"
)

const (
	waitFor = time.Minute
	tick    = 5 * time.Millisecond
)

// foreign makes a running container as the reference makes one, with its labels alone.
func foreign(t *testing.T, cli *client.Client, name string, labels map[string]string, host *container.HostConfig) string {
	t.Helper()
	config := &container.Config{
		Image: demoImage(), Labels: labels, Entrypoint: []string{"sleep", "3600"},
		ExposedPorts: nat.PortSet{"44772/tcp": {}, "8080/tcp": {}},
	}
	if host != nil && host.NetworkMode.IsContainer() {
		config.ExposedPorts = nil
	}
	made, err := cli.ContainerCreate(t.Context(), config, host, nil, nil, name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = cli.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
	require.NoError(t, cli.ContainerStart(t.Context(), made.ID, container.StartOptions{}))
	return made.ID
}

func find(t *testing.T, r *Runtime, id string) (lifecycle.Instance, bool) {
	t.Helper()
	list, err := r.List(t.Context())
	require.NoError(t, err)
	for _, instance := range list {
		if instance.ID == id {
			return instance, true
		}
	}
	return lifecycle.Instance{}, false
}

func TestSandboxOfTheReferenceIsAdopted(t *testing.T) {
	cli := engineClient(t)
	unclaimed := open(t, func(o *Options) { o.Adopt = AdoptUnclaimed })
	own := open(t, nil)
	id := uuid.NewString()
	keep, drop := "keep-"+id, "drop-"+id
	for name, labels := range map[string]map[string]string{keep: nil, drop: {LabelManagedBy: namedvolume.ManagedByServer}} {
		_, err := cli.VolumeCreate(t.Context(), volume.CreateOptions{Name: name, Labels: labels})
		require.NoError(t, err)
		t.Cleanup(func() { _ = cli.VolumeRemove(context.Background(), name, true) })
	}
	containerID := foreign(t, cli, "sandbox-"+id, map[string]string{
		LabelID: id, LabelExpiresAt: "2126-01-02T03:14:05.123456+00:00", LabelProxyPort: "41234", LabelHTTPPort: "52345", LabelRenewExtend: "300", LabelAccessToken: "K", "team": "a",
		LabelManagedBy: `["` + keep + `","` + drop + `","` + uuid.NewString() + `"]`,
	}, &container.HostConfig{
		Binds:        []string{drop + ":/data"},
		PortBindings: nat.PortMap{"44772/tcp": {{HostIP: "0.0.0.0"}}, "8080/tcp": {{HostIP: "127.0.0.1"}}},
	})

	listed, ok := find(t, unclaimed, id)
	require.True(t, ok)
	inspected, err := unclaimed.Inspect(t.Context(), id)
	require.NoError(t, err)
	for name, instance := range map[string]lifecycle.Instance{"list": listed, "inspect": inspected} {
		require.Equal(t, containerID, instance.BackendID, name)
		require.Equal(t, lifecycle.Running, instance.Status.State, name)
		require.True(t, instance.Address.Is4(), name)
		require.Len(t, instance.Published, 2, name)
		require.True(t, instance.Published[44772].Addr().IsLoopback(), name)
		require.Equal(t, map[string]string{"team": "a"}, instance.Seed.Metadata, name)
		require.Equal(t, 2126, instance.Seed.ExpiresAt.Year(), name)
		require.Equal(t, 5*time.Minute, instance.Seed.RenewExtend, name)
		require.Equal(t, demoImage(), instance.Seed.Image, name)
		require.False(t, instance.Seed.ExecdToken, name)
		require.True(t, instance.Seed.SecureAccess, name)
		require.Equal(t, "K", instance.AccessToken.Reveal(), name)
	}

	_, ok = find(t, own, id)
	require.False(t, ok)
	_, err = own.Inspect(t.Context(), id)
	require.ErrorIs(t, err, lifecycle.ErrNotFound)
	require.ErrorIs(t, own.Pause(t.Context(), id), lifecycle.ErrNotFound)
	require.NoError(t, own.Delete(t.Context(), id))
	_, err = cli.ContainerInspect(t.Context(), containerID)
	require.NoError(t, err, "another instance's sandbox was removed")

	require.NoError(t, unclaimed.Delete(t.Context(), id))
	_, err = cli.ContainerInspect(t.Context(), containerID)
	require.ErrorContains(t, err, "No such container")
	_, err = cli.VolumeInspect(t.Context(), drop)
	require.ErrorContains(t, err, "no such volume")
	_, err = cli.VolumeInspect(t.Context(), keep)
	require.NoError(t, err, "a volume the server did not make was removed")
}

func TestSandboxOfAnotherInstance(t *testing.T) {
	cli := engineClient(t)
	id := uuid.NewString()
	owner := "other-" + id[:8]
	sidecar := foreign(t, cli, "sandbox-egress-"+id, map[string]string{LabelSidecarFor: id, LabelInstance: owner}, nil)
	containerID := foreign(t, cli, "sandbox-"+id, map[string]string{LabelID: id, LabelInstance: owner, LabelManualCleanup: "true"}, nil)
	for _, adopt := range []Adopt{AdoptOwn, AdoptUnclaimed} {
		r := open(t, func(o *Options) { o.Adopt = adopt })
		_, ok := find(t, r, id)
		require.False(t, ok, adopt)
		_, err := r.Inspect(t.Context(), id)
		require.ErrorIs(t, err, lifecycle.ErrNotFound, adopt)
		require.ErrorIs(t, r.Pause(t.Context(), id), lifecycle.ErrNotFound, adopt)
		require.NoError(t, r.Delete(t.Context(), id))
		for _, kept := range []string{containerID, sidecar} {
			_, err = cli.ContainerInspect(t.Context(), kept)
			require.NoError(t, err, "%s removed another instance's container", adopt)
		}
	}
	all := open(t, func(o *Options) { o.Adopt = AdoptAll })
	_, ok := find(t, all, id)
	require.True(t, ok)
	require.NoError(t, all.Delete(t.Context(), id))
	for _, gone := range []string{containerID, sidecar} {
		_, err := cli.ContainerInspect(t.Context(), gone)
		require.ErrorContains(t, err, "No such container")
	}
}

func TestSandboxBehindASidecar(t *testing.T) {
	cli := engineClient(t)
	r := open(t, func(o *Options) { o.Adopt = AdoptAll })
	id := uuid.NewString()
	sidecar := foreign(t, cli, "sandbox-egress-"+id, map[string]string{LabelSidecarFor: id}, &container.HostConfig{
		PortBindings: nat.PortMap{"44772/tcp": {{HostIP: "127.0.0.1"}}},
	})
	foreign(t, cli, "sandbox-"+id, map[string]string{LabelID: id, LabelManualCleanup: "true"}, &container.HostConfig{
		NetworkMode: container.NetworkMode("container:" + sidecar),
	})
	listed, ok := find(t, r, id)
	require.True(t, ok)
	inspected, err := r.Inspect(t.Context(), id)
	require.NoError(t, err)
	for _, instance := range []lifecycle.Instance{listed, inspected} {
		require.True(t, instance.Address.Is4())
		require.Contains(t, instance.Published, uint16(44772))
		require.True(t, instance.Seed.ExpiresAt.IsZero())
	}
	require.NoError(t, r.Delete(t.Context(), id))
	_, err = cli.ContainerInspect(t.Context(), sidecar)
	require.ErrorContains(t, err, "No such container")
}

func TestMislabelledContainerIsNoSandbox(t *testing.T) {
	cli := engineClient(t)
	r := open(t, func(o *Options) { o.Adopt = AdoptAll })
	id := uuid.NewString()
	image := variant(t, cli, demoImage(), nil, "LABEL "+LabelID+"="+id)
	made, err := cli.ContainerCreate(t.Context(), &container.Config{Image: image}, nil, nil, nil, "database-"+id)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = cli.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true})
	})
	_, ok := find(t, r, id)
	require.False(t, ok)
	_, err = r.Inspect(t.Context(), id)
	require.ErrorIs(t, err, lifecycle.ErrNotFound)
	require.NoError(t, r.Delete(t.Context(), id))
	_, err = cli.ContainerInspect(t.Context(), "database-"+id)
	require.NoError(t, err)
}

func TestRenamedContainerIsFound(t *testing.T) {
	cli := engineClient(t)
	r := open(t, nil)
	id := uuid.NewString()
	made, err := r.Create(t.Context(), spec(id))
	require.NoError(t, err)
	require.NoError(t, cli.ContainerRename(t.Context(), "sandbox-"+id, "renamed-"+id))

	// Somebody else's container under the name that is free now is not the sandbox.
	foreign(t, cli, "sandbox-"+id, map[string]string{"team": "other"}, nil)
	listed, ok := find(t, r, id)
	require.True(t, ok)
	inspected, err := r.Inspect(t.Context(), id)
	require.NoError(t, err)
	for _, instance := range []lifecycle.Instance{listed, inspected} {
		require.Equal(t, made.BackendID, instance.BackendID)
		require.Equal(t, lifecycle.Running, instance.Status.State)
	}
	require.NoError(t, r.Pause(t.Context(), id))
	require.NoError(t, r.Resume(t.Context(), id))
	other := open(t, nil)
	_, err = other.Inspect(t.Context(), id)
	require.ErrorIs(t, err, lifecycle.ErrNotFound, "another instance's")
	require.NoError(t, other.Delete(t.Context(), id))

	require.NoError(t, r.Delete(t.Context(), id))
	_, err = cli.ContainerInspect(t.Context(), made.BackendID)
	require.ErrorContains(t, err, "No such container")
	_, err = cli.ContainerInspect(t.Context(), "sandbox-"+id)
	require.NoError(t, err, "somebody else's container was removed")
}
