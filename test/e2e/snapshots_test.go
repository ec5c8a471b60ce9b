//go:build docker

package e2e

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/test/edge"
)

type snapshot struct {
	ID        string
	SandboxID string
	Status    struct{ State, Reason string }
}

// snapshotOf takes a snapshot of a sandbox that the test removes again, and waits for its end.
func snapshotOf(t *testing.T, s *edge.Server, sandboxID string) (taken snapshot) {
	t.Helper()
	require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes/"+sandboxID+"/snapshots", nil, &taken))
	t.Cleanup(func() { removeSnapshotImage(t, taken.ID) })
	return settled(t, s, taken.ID)
}

func settled(t *testing.T, s *edge.Server, id string) (found snapshot) {
	t.Helper()
	eventually(t, func() error {
		if err := s.Call(t.Context(), http.MethodGet, "/v1/snapshots/"+id, nil, &found); err != nil {
			return edge.Final(err)
		}
		if found.Status.State == "Creating" {
			return errNotYet
		}
		return nil
	})
	return found
}

func removeSnapshotImage(t *testing.T, id string) {
	_ = exec.Command("docker", "image", "rm", "-f", "opensandbox-snapshots:"+id).Run()
}

func snapshotImages(t *testing.T, id string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "image", "ls", "-q", "opensandbox-snapshots:"+id).Output()
	require.NoError(t, err)
	return string(out)
}

// restore makes a sandbox of a snapshot.
func restore(t *testing.T, s *edge.Server, id string) (edge.Sandbox, error) {
	t.Helper()
	var made edge.Sandbox
	err := s.Call(t.Context(), http.MethodPost, "/v1/sandboxes",
		map[string]any{"snapshotId": " " + id + " ", "timeout": 300, "resourceLimits": map[string]string{}}, &made)
	return made, err
}

func TestASandboxOfASnapshotIsANewOne(t *testing.T) {
	s := start(t, "")
	r := request(s)
	r.Env, r.Metadata = map[string]string{"KEY": "of the source"}, map[string]string{"owner": "source"}
	source, token := create(t, s, r)
	route := s.Route(edge.Wildcard, source.ID, 44772, token)
	defer route.Close()
	_, err := route.Command(t.Context(), "echo kept > /kept.txt")
	require.NoError(t, err)
	require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes/"+source.ID+"/pause", nil, nil))
	taken := snapshotOf(t, s, source.ID)
	require.Equal(t, "Ready", taken.Status.State, taken.Status.Reason)
	require.Equal(t, source.ID, taken.SandboxID)
	require.NoError(t, s.Delete(t.Context(), source.ID))

	made, err := restore(t, s, taken.ID)
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, s.Call(t.Context(), http.MethodGet, "/v1/sandboxes/"+made.ID, nil, &got))
	require.Equal(t, taken.ID, got["snapshotId"])
	require.NotContains(t, got, "image")
	require.NotContains(t, got, "metadata")
	require.Equal(t, []any{"tail", "-f", "/dev/null"}, got["entrypoint"])
	endpoint, err := s.Endpoint(t.Context(), made.ID, 44772, "")
	require.NoError(t, err)
	fresh := endpoint.Headers["X-EXECD-ACCESS-TOKEN"]
	require.NotEmpty(t, fresh)
	require.NotEqual(t, token, fresh)
	inside := s.Route(edge.Wildcard, made.ID, 44772, fresh)
	defer inside.Close()
	out, err := inside.Command(t.Context(), "cat /kept.txt; env")
	require.NoError(t, err)
	require.Contains(t, out, "kept")
	require.NotContains(t, out, "of the source")
	stale := s.Route(edge.Wildcard, made.ID, 44772, token)
	defer stale.Close()
	_, err = stale.Command(t.Context(), "true")
	require.Error(t, err, "the source's token")

	remove := func() error { return s.Call(t.Context(), http.MethodDelete, "/v1/snapshots/"+taken.ID, nil, nil) }
	requireStatus(t, remove(), 409, "SNAPSHOT::DELETE_CONFLICT")
	require.Equal(t, "Ready", settled(t, s, taken.ID).Status.State)
	require.NoError(t, s.Delete(t.Context(), made.ID))
	require.NoError(t, remove())
	require.Empty(t, snapshotImages(t, taken.ID))
	_, err = restore(t, s, taken.ID)
	requireStatus(t, err, 404, "SNAPSHOT::NOT_FOUND")
}

// A source that is never removed by itself, with metadata and a volume of its own, hands on
// none of the three to what is made of its snapshot.
func TestARestoredSandboxOwesItsSourceNothing(t *testing.T) {
	s := start(t, "")
	volume := s.Instance + "-snapshot"
	dropVolumes(t, volume)
	t.Cleanup(func() { _ = s.RemoveContainers(context.WithoutCancel(t.Context())) }) // they use it
	r := mounting(s, owned(volume))
	delete(r, "timeout")
	r["metadata"] = map[string]string{"owner": "of-the-source", "only": "of-the-source"}
	var source edge.Sandbox
	require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes", r, &source))
	require.Nil(t, source.ExpiresAt)
	inside := func(id string) edge.Route {
		endpoint, err := s.Endpoint(t.Context(), id, 44772, "")
		require.NoError(t, err)
		route := s.Route(edge.Direct, id, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"])
		t.Cleanup(route.Close)
		return route
	}
	command := func(id, line string) string {
		out, err := inside(id).Command(t.Context(), line)
		require.NoError(t, err)
		return strings.Join(strings.Fields(out), " ")
	}
	require.Equal(t, "volume", command(source.ID, "echo disk > /disk.txt; echo volume > /cache/file; cat /cache/file"))
	taken := snapshotOf(t, s, source.ID)
	require.Equal(t, "Ready", taken.Status.State, taken.Status.Reason)

	var made edge.Sandbox
	require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes", map[string]any{
		"snapshotId": taken.ID, "timeout": 300, "resourceLimits": map[string]string{}, "metadata": map[string]string{"owner": "restored"},
	}, &made))
	got, err := s.Get(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"owner": "restored"}, got.Metadata)
	require.NotNil(t, got.ExpiresAt, "the source had none")
	require.NoError(t, s.Renew(t.Context(), made.ID, got.ExpiresAt.Add(time.Minute)))
	renewed, err := s.Get(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, time.Minute, renewed.ExpiresAt.Sub(*got.ExpiresAt))
	labels := output(t, "inspect", "-f", "{{json .Config.Labels}}{{json .Mounts}}", "sandbox-"+made.ID)
	for _, old := range []string{source.ID, volume, "of-the-source"} {
		require.NotContains(t, labels, old)
	}
	require.Equal(t, "disk", command(made.ID, "cat /disk.txt; ls /cache"), "by way of the proxy")

	require.NoError(t, s.Delete(t.Context(), made.ID))
	requireGone(t, s, made.ID)
	require.Equal(t, volume, named(t, volume))
	require.Equal(t, "volume", command(source.ID, "cat /cache/file"))
	require.NoError(t, s.Call(t.Context(), http.MethodDelete, "/v1/snapshots/"+taken.ID, nil, nil))
	require.NoError(t, s.Delete(t.Context(), source.ID))
	noVolume(t, volume)
}

func TestKilledInTheMiddleOfASnapshot(t *testing.T) {
	for name, tc := range map[string]struct {
		after         bool
		state, reason string
	}{
		"before the engine is asked": {false, "Failed", "snapshot_recovery_missing_image"},
		"after the image is made":    {true, "Ready", "snapshot_recovery_ready"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy := behindProxy(t)
			source, _ := create(t, s, request(s))
			proxy.Fault(moment{enginetest.On(http.MethodPost, "/commit"), 1, tc.after}.fault(s))
			var begun snapshot
			require.NoError(t, s.Call(t.Context(), http.MethodPost, "/v1/sandboxes/"+source.ID+"/snapshots", map[string]string{"name": "n"}, &begun))
			t.Cleanup(func() { removeSnapshotImage(t, begun.ID) })
			<-s.Ended()
			proxy.Release()
			require.NoError(t, s.Start(t.Context()))
			found := settled(t, s, begun.ID)
			require.Equal(t, tc.state, found.Status.State)
			require.Equal(t, tc.reason, found.Status.Reason)
			requireConsistent(t, s, source.ID)
			require.NoError(t, s.Call(t.Context(), http.MethodDelete, "/v1/snapshots/"+begun.ID, nil, nil))
			require.Empty(t, snapshotImages(t, begun.ID))
		})
	}
}
