//go:build docker

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/test/edge"
)

// TestKilledAtAnyPointNothingIsOrphanedOrLost kills the server with SIGKILL around every
// engine call of a create and a delete, starts it again, and compares what the API
// lists with what the engine has.
func TestKilledAtAnyPointNothingIsOrphanedOrLost(t *testing.T) {
	before := func(s *edge.Server, m enginetest.Match) enginetest.Fault {
		return enginetest.Fault{Match: m, Nth: 1, Do: enginetest.Drop, Before: func(enginetest.Request) { s.Kill() }}
	}
	after := func(s *edge.Server, m enginetest.Match) enginetest.Fault {
		return enginetest.Fault{Match: m, Nth: 1, Do: enginetest.DropAnswer, After: func(enginetest.Request) { s.Kill() }}
	}
	type point func(*edge.Server, enginetest.Match) enginetest.Fault

	for name, at := range map[string]struct {
		kill  point
		match enginetest.Match
	}{
		"create: before the container is made": {before, enginetest.CreateContainer},
		"create: after the container is made":  {after, enginetest.CreateContainer},
		"create: before the container starts":  {before, enginetest.StartContainer},
		"create: after the container started":  {after, enginetest.StartContainer},
		"create: before the address is read":   {before, enginetest.InspectContainer},
		"create: after the address was read":   {after, enginetest.InspectContainer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy := behindProxy(t)
			kept, _ := create(t, s, request(s))
			proxy.Fault(at.kill(s, at.match))
			_, err := s.Create(t.Context(), request(s))
			require.Error(t, err)
			<-s.Ended()
			proxy.Release()
			require.NoError(t, s.Start(t.Context()))
			requireConsistent(t, s, kept.ID)
			require.NoError(t, s.Delete(t.Context(), kept.ID))
			requireConsistent(t, s)
		})
	}

	t.Run("create: right after the answer", func(t *testing.T) {
		t.Parallel()
		s, _ := behindProxy(t)
		kept, token := create(t, s, request(s))
		s.Kill()
		require.NoError(t, s.Start(t.Context()))
		requireConsistent(t, s, kept.ID)
		route := s.Route(edge.Wildcard, kept.ID, 44772, token)
		defer route.Close()
		_, err := route.Command(t.Context(), "true")
		require.NoError(t, err, "the token handed out before the crash still opens execd")
	})

	for name, at := range map[string]struct {
		kill  point
		match enginetest.Match
	}{
		"delete: before the first change":         {before, enginetest.Changes},
		"delete: after the first change":          {after, enginetest.Changes},
		"delete: before the container is removed": {before, enginetest.RemoveContainer},
		"delete: after the container is removed":  {after, enginetest.RemoveContainer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, proxy := behindProxy(t)
			gone, _ := create(t, s, request(s))
			kept, _ := create(t, s, request(s))
			proxy.Fault(at.kill(s, at.match))
			require.Error(t, s.Delete(t.Context(), gone.ID))
			<-s.Ended()
			proxy.Release()
			require.NoError(t, s.Start(t.Context()))
			requireConsistent(t, s, kept.ID)
		})
	}
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
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) || len(containers) != len(ids) {
			return fmt.Errorf("listed %v, wanted %v, %d containers", got, ids, len(containers))
		}
		return nil
	})
}
