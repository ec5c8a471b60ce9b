//go:build docker

package e2e

import (
	"crypto/rand"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/test/edge"
)

// A moment is a point in a create or a delete at which the server is killed. No two are
// alike in both what the engine has and what the server had been told.
type moment struct {
	match enginetest.Match
	nth   int // which of the matching calls
	after bool
}

func (m moment) fault(s *edge.Server) enginetest.Fault {
	kill := func(enginetest.Request) { s.Kill() }
	if m.after {
		return enginetest.Fault{Match: m.match, Nth: m.nth, Do: enginetest.DropAnswer, After: kill}
	}
	return enginetest.Fault{Match: m.match, Nth: m.nth, Do: enginetest.Drop, Before: kill}
}

// TestKilledAtAnyPointNothingIsOrphanedOrLost kills the server with SIGKILL around the
// engine calls of a create and a delete, starts it again, and compares what the API
// lists with what the engine has. The image has a VOLUME, so every container has an
// anonymous volume that has to go with it.
func TestKilledAtAnyPointNothingIsOrphanedOrLost(t *testing.T) {
	image := imageWithVolume(t)
	ask := func(s *edge.Server) edge.CreateRequest {
		r := request(s)
		r.Image.URI = image
		return r
	}

	for name, at := range map[string]moment{
		"create: before the container is made": {enginetest.CreateContainer, 1, false}, // a record alone
		"create: after the container is made":  {enginetest.CreateContainer, 1, true},  // and a container nobody knows the id of
		"create: before the container starts":  {enginetest.StartContainer, 1, false},  // its id was told
		"create: after the container started":  {enginetest.StartContainer, 1, true},   // it runs
		"create: after the address was read":   {enginetest.InspectContainer, 1, true}, // it may be reachable
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy := behindProxy(t)
			kept, _ := create(t, s, ask(s))
			left := volumesOf(t, s)
			proxy.Fault(at.fault(s))
			_, err := s.Create(t.Context(), ask(s))
			require.Error(t, err)
			<-s.Ended()
			left = append(left, volumesOf(t, s)...)
			proxy.Release()
			require.NoError(t, s.Start(t.Context()))
			requireConsistent(t, s, kept.ID)
			require.NoError(t, s.Delete(t.Context(), kept.ID))
			requireConsistent(t, s)
			requireNoVolumes(t, left)
		})
	}

	t.Run("create: right after the answer", func(t *testing.T) {
		t.Parallel()
		s, _ := behindProxy(t)
		kept, token := create(t, s, ask(s))
		s.Kill()
		require.NoError(t, s.Start(t.Context()))
		requireConsistent(t, s, kept.ID)
		route := s.Route(edge.Wildcard, kept.ID, 44772, token)
		defer route.Close()
		_, err := route.Command(t.Context(), "true")
		require.NoError(t, err, "the token handed out before the crash still opens execd")
	})

	for name, at := range map[string]moment{
		"delete: before the container is looked up": {enginetest.InspectContainer, 1, false}, // the intent alone is recorded
		"delete: before the container is removed":   {enginetest.RemoveContainer, 1, false},  // its id was told
		"delete: after the container is removed":    {enginetest.RemoveContainer, 1, true},   // the sidecar is left
		"delete: before the sidecar is looked up":   {enginetest.InspectContainer, 2, false}, // the removal was confirmed
		"delete: before the sidecar is removed":     {enginetest.RemoveContainer, 2, false},  // the sidecar's id was told
		"delete: after the sidecar is removed":      {enginetest.RemoveContainer, 2, true},   // the record is left
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy := behindProxy(t)
			gone, _ := create(t, s, ask(s))
			left := volumesOf(t, s)
			kept, _ := create(t, s, ask(s))
			docker(t, "create", "--name", "sandbox-egress-"+gone.ID, "--label", "opensandbox.io/egress-sidecar-for="+gone.ID,
				"--label", "opensandbox.io/instance="+s.Instance, image, "sleep", "3600")
			left = append(left, volumesOf(t, s, "name=sandbox-egress-"+gone.ID)...)
			require.Len(t, left, 2)
			proxy.Fault(at.fault(s))
			require.Error(t, s.Delete(t.Context(), gone.ID))
			<-s.Ended()
			proxy.Release()
			require.NoError(t, s.Start(t.Context()))
			requireConsistent(t, s, kept.ID)
			requireNoVolumes(t, left)
		})
	}

	t.Run("delete: right after the answer", func(t *testing.T) {
		t.Parallel()
		s, _ := behindProxy(t)
		gone, _ := create(t, s, ask(s))
		left := volumesOf(t, s)
		require.NoError(t, s.Delete(t.Context(), gone.ID))
		s.Kill()
		require.NoError(t, s.Start(t.Context()))
		requireConsistent(t, s)
		requireGone(t, s, gone.ID)
		requireNoVolumes(t, left)
	})
}

// imageWithVolume is the demo image with a VOLUME, until the test has ended.
func imageWithVolume(t *testing.T) string {
	t.Helper()
	name := "opensandbox-test/" + strings.ToLower(rand.Text()) + ":v"
	made := output(t, "create", fromEnv(t, "EDGE_DEMO_IMAGE"), "true")
	defer docker(t, "rm", made)
	docker(t, "commit", "--change", "VOLUME /data", made, name)
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", name).Run() }) //nolint:noctx // the test's context has ended
	return name
}

// volumesOf are the anonymous volumes of the containers of a server's instance.
func volumesOf(t *testing.T, s *edge.Server, filters ...string) []string {
	t.Helper()
	list := []string{"ps", "-aq", "--filter", "label=opensandbox.io/instance=" + s.Instance}
	for _, f := range filters {
		list = append(list, "--filter", f)
	}
	ids := strings.Fields(output(t, list...))
	if len(ids) == 0 {
		return nil
	}
	format := `{{range .Mounts}}{{if and (eq .Type "volume") (eq .Destination "/data")}}{{.Name}} {{end}}{{end}}`
	return strings.Fields(output(t, append([]string{"inspect", "--format", format}, ids...)...))
}

func requireNoVolumes(t *testing.T, names []string) {
	t.Helper()
	require.NotEmpty(t, names)
	for _, name := range names {
		require.Empty(t, output(t, "volume", "ls", "-q", "--filter", "name="+name), "an anonymous volume is left")
	}
}

func output(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", args...).Output()
	require.NoError(t, err, "docker %v", args)
	return strings.TrimSpace(string(out))
}

func TestACreateMakesAtMostThreeEngineCalls(t *testing.T) {
	s, proxy := behindProxy(t)
	create(t, s, request(s)) // whatever is done once is done
	proxy.Reset()
	// Several creates, so that a call made for each of them shows beside the one list
	// that the periodic reconcile may add.
	const creates = 5
	var sandbox edge.Sandbox
	for range creates {
		sandbox, _ = create(t, s, request(s))
	}
	var calls []string
	for _, r := range proxy.Requests() {
		calls = append(calls, r.Method+" "+r.Path)
	}
	require.LessOrEqual(t, len(calls), 3*creates+1, "%s", strings.Join(calls, "\n"))

	proxy.Reset()
	for range 20 {
		_, err := s.Get(t.Context(), sandbox.ID)
		require.NoError(t, err)
		_, err = s.Endpoint(t.Context(), sandbox.ID, 44772, "")
		require.NoError(t, err)
	}
	require.Empty(t, proxy.Requests(enginetest.InspectContainer), "reads come from memory")
}

func behindProxy(t *testing.T) (*edge.Server, *enginetest.Proxy) {
	t.Helper()
	proxy := enginetest.Start(t)
	s := prepare(t, "")
	s.EngineSocket = strings.TrimPrefix(proxy.Host(), "unix://")
	require.NoError(t, s.Start(t.Context()))
	return s, proxy
}

// requireConsistent waits until the API lists exactly these sandboxes, all running,
// and the engine has exactly their containers.
func requireConsistent(t *testing.T, s *edge.Server, ids ...string) {
	t.Helper()
	eventually(t, func() error {
		listed, err := s.List(t.Context(), nil)
		if err != nil {
			return edge.Final(err)
		}
		var got []string
		for _, sandbox := range listed {
			if sandbox.Status.State != "Running" {
				return fmt.Errorf("%s is %s", sandbox.ID, sandbox.Status.State)
			}
			got = append(got, sandbox.ID)
		}
		containers, err := s.Containers(t.Context())
		if err != nil {
			return edge.Final(err)
		}
		auxiliaries, err := s.Auxiliaries(t.Context())
		if err != nil {
			return edge.Final(err)
		}
		if len(auxiliaries) > 0 {
			return fmt.Errorf("helper containers are left: %v", auxiliaries)
		}
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) || len(containers) != len(ids) {
			return fmt.Errorf("listed %v, wanted %v, %d containers", got, ids, len(containers))
		}
		return nil
	})
}
