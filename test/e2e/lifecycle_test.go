//go:build docker

package e2e

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

func TestOneSandboxFromCreateToDelete(t *testing.T) {
	s := start(t, "")
	r := request(s)
	r.Metadata = map[string]string{"team": "a"}
	r.Env = map[string]string{"GREETING": "hello"}
	sandbox, token := create(t, s, r)
	require.NotEmpty(t, token, "execd is protected by default")
	require.WithinDuration(t, time.Now().Add(300*time.Second), *sandbox.ExpiresAt, time.Minute)

	got, err := s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, s.DemoImage, got.Image.URI, "the requested reference, not an arbitrary tag")
	require.Equal(t, map[string]string{"team": "a"}, got.Metadata)
	require.Equal(t, []string{"sleep", "3600"}, got.Entrypoint)
	require.Equal(t, sandbox.CreatedAt, got.CreatedAt)

	listed, err := s.List(t.Context(), url.Values{"metadata": {"team=a"}, "state": {"running"}})
	require.NoError(t, err)
	require.Len(t, listed, 1)

	route := s.Route(edge.Wildcard, sandbox.ID, 44772, token)
	defer route.Close()
	out, err := route.Command(t.Context(), "echo $GREETING")
	require.NoError(t, err)
	require.Equal(t, "hello\n", out)

	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	requireGone(t, s, sandbox.ID)
	requireStatus(t, s.Delete(t.Context(), sandbox.ID), 404, "DOCKER::SANDBOX_NOT_FOUND")
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestEveryRouteFormCarriesCommandsAndFiles(t *testing.T) {
	s := start(t, "")
	sandbox, token := create(t, s, request(s))
	for _, form := range edge.Forms {
		t.Run(string(form), func(t *testing.T) {
			route := s.Route(form, sandbox.ID, 44772, token)
			defer route.Close()
			out, err := route.Command(t.Context(), "echo $OPENSANDBOX_ID")
			require.NoError(t, err)
			require.Equal(t, sandbox.ID+"\n", out)

			content := strings.Repeat("0123456789abcdef", 1<<16)
			require.NoError(t, route.Upload(t.Context(), "/tmp/file", strings.NewReader(content)))
			back, err := route.Download(t.Context(), "/tmp/file")
			require.NoError(t, err)
			require.True(t, content == back, "%d bytes came back", len(back))
		})
		t.Run(string(form)+" without the token", func(t *testing.T) {
			route := s.Route(form, sandbox.ID, 44772, "")
			defer route.Close()
			status, _, err := route.Read(t.Context(), "POST", "/command", strings.NewReader(`{"command":"true"}`), "application/json")
			require.NoError(t, err)
			require.Equal(t, 401, status)
			status, _, err = route.Read(t.Context(), "GET", "/ping", nil, "")
			require.NoError(t, err)
			require.Equal(t, 200, status, "/ping is open: clients wait for readiness on it")
		})
	}
}

func TestTwentyParallelCreates(t *testing.T) {
	s := start(t, "")
	const n = 20
	ids := make([]string, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			sandbox, err := s.Create(t.Context(), request(s))
			ids[i], errs[i] = sandbox.ID, err
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	listed, err := s.List(t.Context(), url.Values{"pageSize": {"200"}})
	require.NoError(t, err)
	require.Len(t, listed, n)
	for _, id := range ids {
		wg.Go(func() { require.NoError(t, s.Delete(t.Context(), id)) })
	}
	wg.Wait()
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestExpiryMovesWithTrafficAndSurvivesARestart(t *testing.T) {
	s := start(t, "")
	r := request(s)
	r.Timeout = 60
	r.Extensions = map[string]string{"access.renew.extend.seconds": "600"}
	sandbox, token := create(t, s, r)
	route := s.Route(edge.URI, sandbox.ID, 44772, token)
	defer route.Close()
	_, err := route.Command(t.Context(), "true")
	require.NoError(t, err)

	var renewed time.Time
	eventually(t, func() error {
		got, err := s.Get(t.Context(), sandbox.ID)
		if err != nil {
			return edge.Final(err)
		}
		if renewed = *got.ExpiresAt; renewed.Before(sandbox.ExpiresAt.Add(5 * time.Minute)) {
			return errNotYet
		}
		return nil
	})
	require.NoError(t, s.Stop())
	require.NoError(t, s.Start(t.Context()))
	got, err := s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, "Running", got.Status.State)
	require.False(t, got.ExpiresAt.Before(renewed), "the renewed expiry was lost")
}

func TestAnExpiredSandboxIsTakenAway(t *testing.T) {
	s := start(t, "")
	sandbox, _ := create(t, s, request(s))
	require.NoError(t, s.Renew(t.Context(), sandbox.ID, time.Now().Add(5*time.Second)), "the API may shorten a lease")
	taken(t, s, sandbox.ID)
}

func TestSandboxesThatExpiredWhileTheServerWasDownAreTakenAway(t *testing.T) {
	s := start(t, "")
	sandbox, _ := create(t, s, request(s))
	expiry := time.Now().Add(5 * time.Second)
	require.NoError(t, s.Renew(t.Context(), sandbox.ID, expiry))
	s.Kill()
	eventually(t, func() error {
		if time.Now().Before(expiry) {
			return errNotYet
		}
		return nil
	})
	require.NoError(t, s.Start(t.Context()))
	requireGone(t, s, sandbox.ID)
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestPauseAndResume(t *testing.T) {
	s := start(t, "")
	sandbox, token := create(t, s, request(s))
	path := "/v1/sandboxes/" + sandbox.ID
	require.NoError(t, s.Call(t.Context(), "POST", path+"/pause", nil, nil))
	got, err := s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, "Paused", got.Status.State)
	requireStatus(t, s.Call(t.Context(), "POST", path+"/pause", nil, nil), 409, "DOCKER::SANDBOX_NOT_RUNNING")

	route := s.Route(edge.Header, sandbox.ID, 44772, token)
	defer route.Close()
	status, _, err := route.Read(t.Context(), "GET", "/ping", nil, "")
	require.NoError(t, err)
	require.Contains(t, []int{409, 503}, status, "a paused sandbox answers at once instead of hanging")

	require.NoError(t, s.Call(t.Context(), "POST", path+"/resume", nil, nil))
	_, err = route.Command(t.Context(), "true")
	require.NoError(t, err)
	requireStatus(t, s.Call(t.Context(), "POST", path+"/resume", nil, nil), 409, "DOCKER::SANDBOX_NOT_PAUSED")
}
