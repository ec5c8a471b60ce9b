//go:build docker

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// TestARestartSeesWhatChangedMeanwhile changes containers behind the back of a server
// that is down, one way each.
func TestARestartSeesWhatChangedMeanwhile(t *testing.T) {
	s := start(t, "")
	changes := map[string]struct {
		docker []string
		state  string // "" = gone
	}{
		"untouched": {nil, "Running"},
		"killed":    {[]string{"kill"}, "Failed"},
		"paused":    {[]string{"pause"}, "Paused"},
		"removed":   {[]string{"rm", "-f"}, ""},
	}
	ids, since := map[string]string{}, map[string]time.Time{}
	for name := range changes {
		sandbox, _ := create(t, s, request(s))
		ids[name], since[name] = sandbox.ID, sandbox.Status.LastTransitionAt
	}
	s.Kill()
	died := time.Now()
	for name, change := range changes {
		if change.docker != nil {
			docker(t, append(change.docker, "sandbox-"+ids[name])...)
		}
	}
	require.NoError(t, s.Start(t.Context()))
	for name, change := range changes {
		if change.state == "" {
			requireGone(t, s, ids[name])
			continue
		}
		got, err := s.Get(t.Context(), ids[name])
		require.NoError(t, err)
		require.Equal(t, change.state, got.Status.State, name)
		if name == "killed" {
			require.WithinDuration(t, died, got.Status.LastTransitionAt, time.Minute, "the time of death, not of birth")
			require.True(t, got.Status.LastTransitionAt.After(since[name]))
		} else {
			require.Equal(t, since[name], got.Status.LastTransitionAt, "%s: microseconds included", name)
		}
		require.NoError(t, s.Delete(t.Context(), ids[name]), name)
	}
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestChangesBehindARunningServerAreNoticed does the same while the server runs and
// hears of it by the engine's events.
func TestChangesBehindARunningServerAreNoticed(t *testing.T) {
	s := start(t, "")
	for _, change := range []struct {
		docker []string
		state  string
	}{
		{[]string{"pause"}, "Paused"},
		{[]string{"unpause"}, "Running"},
		{[]string{"kill"}, "Failed"},
	} {
		sandbox, token := create(t, s, request(s))
		if change.state == "Running" {
			docker(t, "pause", "sandbox-"+sandbox.ID)
			requireState(t, s, sandbox.ID, "Paused")
		}
		docker(t, append(change.docker, "sandbox-"+sandbox.ID)...)
		requireState(t, s, sandbox.ID, change.state)
		if change.state == "Running" {
			route := s.Route(edge.Direct, sandbox.ID, 44772, token)
			_, err := route.Command(t.Context(), "true")
			require.NoError(t, err)
			route.Close()
		}
		docker(t, "rm", "-f", "sandbox-"+sandbox.ID)
		eventually(t, func() error {
			if _, err := s.Get(t.Context(), sandbox.ID); err == nil {
				return errNotYet
			}
			return nil
		})
	}
}

func TestARenamedContainerStaysASandbox(t *testing.T) {
	s := start(t, "")
	sandbox, token := create(t, s, request(s))
	other := "renamed-" + sandbox.ID
	docker(t, "rename", "sandbox-"+sandbox.ID, other)
	docker(t, "pause", other)
	requireState(t, s, sandbox.ID, "Paused")
	docker(t, "unpause", other)
	requireState(t, s, sandbox.ID, "Running")
	s.Kill()
	require.NoError(t, s.Start(t.Context()))
	requireState(t, s, sandbox.ID, "Running")
	route := s.Route(edge.Direct, sandbox.ID, 44772, token)
	defer route.Close()
	_, err := route.Command(t.Context(), "true")
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left, "it leaked")
}

func TestAShellLineIsShownAsItRuns(t *testing.T) {
	s := start(t, "")
	r := request(s)
	r.Entrypoint = []string{"sleep 3600"}
	sandbox, _ := create(t, s, r)
	require.Equal(t, []string{"sleep 3600"}, sandbox.Entrypoint, "the answer echoes the request")
	got, err := s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"sleep", "3600"}, got.Entrypoint)
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
}

func TestAnotherAddressIsUsedAtOnce(t *testing.T) {
	s := start(t, "")
	sandbox, token := create(t, s, request(s))
	docker(t, "network", "disconnect", "bridge", "sandbox-"+sandbox.ID)
	holder, _ := create(t, s, request(s)) // may get the address that is free now
	docker(t, "network", "connect", "bridge", "sandbox-"+sandbox.ID)
	eventually(t, func() error {
		route := s.Route(edge.Direct, sandbox.ID, 44772, token)
		defer route.Close()
		_, err := route.Command(t.Context(), "true")
		return err
	})
	require.NoError(t, s.Delete(t.Context(), holder.ID))
}

func TestTwoServersLeaveEachOtherAlone(t *testing.T) {
	first, second := start(t, ""), start(t, "")
	sandbox, token := create(t, first, request(first))
	requireGone(t, second, sandbox.ID)
	require.NoError(t, second.Stop())
	require.NoError(t, second.Start(t.Context()))
	requireGone(t, second, sandbox.ID)
	status, _ := raw(t, second, "DELETE", "/v1/sandboxes/"+sandbox.ID, "", second.Key)
	require.Equal(t, 404, status)
	route := first.Route(edge.Header, sandbox.ID, 44772, token)
	defer route.Close()
	_, err := route.Command(t.Context(), "true")
	require.NoError(t, err)
}

// With the default of docker.adopt a server takes in what names no instance, which is the
// reference's, and leaves alone what names another: through its restarts and reconciles,
// through kills in the middle of creates, and without a record of its own.
func TestServersOfOneEngineTakeInNothingOfEachOther(t *testing.T) {
	servers := [2]*edge.Server{prepare(t, ""), prepare(t, "")}
	for _, s := range servers {
		text, err := os.ReadFile(s.ConfigPath())
		require.NoError(t, err)
		changed := strings.Replace(string(text), `adopt = "own"`, `adopt = "unclaimed"`, 1)
		require.NotEqual(t, string(text), changed)
		require.NoError(t, os.WriteFile(s.ConfigPath(), []byte(changed), 0o600))
		require.NoError(t, s.Start(t.Context()))
	}
	var mine [2][]string
	var wg sync.WaitGroup
	for i, s := range servers {
		mine[i] = make([]string, 3)
		for n := range mine[i] {
			wg.Go(func() {
				sandbox, err := s.Create(t.Context(), request(s))
				if err != nil {
					t.Error(err)
				}
				mine[i][n] = sandbox.ID
			})
		}
	}
	wg.Wait()
	check := func() {
		t.Helper()
		for i, s := range servers {
			for n, other := range mine[1-i] {
				requireGone(t, s, other)
				requireStatus(t, s.Delete(t.Context(), other), 404, "DOCKER::SANDBOX_NOT_FOUND")
				status, _ := raw(t, s, "GET", "/v1/sandboxes/"+other+"/proxy/44772/ping", "", s.Key)
				require.Equal(t, 404, status)
				requireState(t, s, mine[i][n], "Running")
			}
		}
	}
	check()
	for _, s := range servers {
		s.Kill()
		require.NoError(t, s.ForgetStore()) // its labels alone say what is its own
	}
	for _, s := range servers {
		require.NoError(t, s.Start(t.Context()))
	}
	check()
	require.NoError(t, servers[0].Renew(t.Context(), mine[0][0], time.Now().Add(2*time.Second)))
	eventually(t, func() error {
		if _, err := servers[0].Get(t.Context(), mine[0][0]); err == nil {
			return errNotYet
		}
		return nil
	})
	mine[0], mine[1] = mine[0][1:], mine[1][1:]
	check()
}

func requireState(t *testing.T, s *edge.Server, id, state string) {
	t.Helper()
	eventually(t, func() error {
		got, err := s.Get(t.Context(), id)
		if err != nil {
			return edge.Final(err)
		}
		if got.Status.State != state {
			return fmt.Errorf("%s is %s, not %s", id, got.Status.State, state)
		}
		return nil
	})
}

func docker(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", args...).CombinedOutput()
	require.NoError(t, err, "docker %v: %s", args, out)
}
