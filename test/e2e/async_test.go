//go:build docker

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/test/edge"
)

// promise creates a sandbox with an answer at once.
func promise(t *testing.T, s *edge.Server, r edge.CreateRequest) edge.Sandbox {
	t.Helper()
	if r.ResourceLimits == nil {
		r.ResourceLimits = map[string]string{}
	}
	body, err := json.Marshal(r)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Addr+"/v1/sandboxes", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("OPEN-SANDBOX-API-KEY", s.Key)
	req.Header.Set("Prefer", "return=representation, Respond-Async; x=y")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, 202, res.StatusCode)
	require.Equal(t, "respond-async", res.Header.Get("Preference-Applied"))
	var sandbox edge.Sandbox
	require.NoError(t, json.NewDecoder(res.Body).Decode(&sandbox))
	require.Equal(t, "Pending", sandbox.Status.State)
	return sandbox
}

// missingImage is a name of the demo image that the engine forgets until it is called for.
func missingImage(t *testing.T) (name string, appear func()) {
	t.Helper()
	name = "127.0.0.1:1/opensandbox-test/" + strings.ToLower(t.Name()) + ":v"
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", name).Run() }) //nolint:noctx // the test's context has ended
	return name, func() { docker(t, "tag", fromEnv(t, "EDGE_DEMO_IMAGE"), name) }
}

func TestAPromisedSandboxComesWhenItsImageIsThere(t *testing.T) {
	s, proxy := behindProxy(t)
	image, appear := missingImage(t)
	held := make(chan struct{})
	proxy.Fault(enginetest.Fault{
		Match: enginetest.PullImage, Nth: 1, Do: enginetest.Hold,
		Before: func(enginetest.Request) { close(held) },
	})
	r := request(s)
	r.Image.URI = image
	sandbox := promise(t, s, r)
	<-held
	got, err := s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, "IMAGE_PULLING", got.Status.Reason)
	listed, err := s.List(t.Context(), map[string][]string{"state": {"Pending"}})
	require.NoError(t, err)
	require.Len(t, listed, 1)

	// What published clients ask for at once, and a request that waits for the sandbox.
	endpoint, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
	require.NoError(t, err)
	_, err = s.Endpoint(t.Context(), sandbox.ID, 18080, "")
	require.NoError(t, err)
	waited := make(chan string, 1)
	go func() {
		route := s.Route(edge.Direct, sandbox.ID, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"])
		defer route.Close()
		out, err := route.Command(t.Context(), "echo here")
		if err != nil {
			out = err.Error()
		}
		waited <- out
	}()

	requireStatus(t, s.Call(t.Context(), "POST", "/v1/sandboxes/"+sandbox.ID+"/pause", nil, nil), 409, "DOCKER::SANDBOX_NOT_RUNNING")
	appear()
	proxy.Release() // the pull itself fails: its registry is nowhere
	requireEnd(t, s, sandbox.ID, "Failed")
	require.NotEqual(t, "here\n", <-waited)

	began := time.Now()
	sandbox = promise(t, s, r) // and now the image is there
	requireState(t, s, sandbox.ID, "Running")
	got, err = s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.False(t, got.ExpiresAt.Before(began.Add(300*time.Second).Truncate(time.Second)), "from container start")
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
}

func TestARequestWaitsForAPromisedSandbox(t *testing.T) {
	s, proxy := behindProxy(t)
	create(t, s, request(s))
	held := make(chan struct{})
	proxy.Fault(enginetest.Fault{
		Match: enginetest.StartContainer, Nth: 1, Do: enginetest.Hold,
		Before: func(enginetest.Request) { close(held) },
	})
	sandbox := promise(t, s, request(s))
	<-held
	endpoint, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
	require.NoError(t, err)
	waited := make(chan string, 1)
	go func() {
		route := s.Route(edge.Direct, sandbox.ID, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"])
		defer route.Close()
		out, err := route.Command(t.Context(), "echo here")
		if err != nil {
			out = err.Error()
		}
		waited <- out
	}()
	proxy.Release()
	require.Equal(t, "here\n", <-waited)
}

func TestAPromiseThatCannotBeKeptIsShownForAWhile(t *testing.T) {
	s := prepare(t, "")
	s.Env = append(s.Env, "PENDING_FAILURE_TTL=20")
	require.NoError(t, s.Start(t.Context()))
	image, _ := missingImage(t)
	r := request(s)
	r.Image.URI = image
	sandbox := promise(t, s, r)
	failed := requireEnd(t, s, sandbox.ID, "Failed")
	require.Equal(t, "PROVISIONING_ERROR", failed.Status.Reason)
	require.Contains(t, failed.Status.Message, "could not be pulled")
	require.NoError(t, s.Stop())
	require.NoError(t, s.Start(t.Context()))
	again, err := s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, failed.Status, again.Status)
	taken(t, s, sandbox.ID)
}

func TestADeleteEndsAPull(t *testing.T) {
	s, proxy := behindProxy(t)
	image, _ := missingImage(t)
	held := make(chan struct{})
	proxy.Fault(enginetest.Fault{
		Match: enginetest.PullImage, Nth: 1, Do: enginetest.Hold,
		Before: func(enginetest.Request) { close(held) },
	})
	r := request(s)
	r.Image.URI = image
	sandbox := promise(t, s, r)
	<-held
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	requireGone(t, s, sandbox.ID)
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

// A client that leaves takes its create with it, wherever that is.
func TestAClientThatLeavesEndsItsCreate(t *testing.T) {
	image, _ := missingImage(t)
	for name, at := range map[string]enginetest.Match{
		"during the pull":  enginetest.PullImage,
		"during the start": enginetest.StartContainer,
	} {
		t.Run(name, func(t *testing.T) {
			s, proxy := behindProxy(t)
			create(t, s, request(s)) // execd's volume is filled
			held := make(chan struct{})
			proxy.Fault(enginetest.Fault{Match: at, Nth: 1, Do: enginetest.Hold, Before: func(enginetest.Request) { close(held) }})
			r := request(s)
			if name == "during the pull" {
				r.Image.URI = image
			}
			ctx, leave := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { _, err := s.Create(ctx, r); ended <- err }()
			<-held
			leave()
			require.ErrorIs(t, <-ended, context.Canceled)
			if name != "during the pull" {
				proxy.Release() // the engine carries out what it was asked for
			}
			eventually(t, func() error {
				listed, err := s.List(t.Context(), nil)
				if err != nil {
					return edge.Final(err)
				}
				left, err := s.Containers(t.Context())
				if err != nil {
					return edge.Final(err)
				}
				if len(listed) != 1 || len(left) != 1 {
					return errNotYet
				}
				return nil
			})
		})
	}
}

// A create is killed with the server after its container was started: the next process
// goes on with it.
func TestAPromiseOutlivesTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		match enginetest.Match
		state string
	}{
		"before the container started": {enginetest.StartContainer, "Failed"},
		"after the container started":  {enginetest.InspectContainer, "Running"},
	} {
		t.Run(name, func(t *testing.T) {
			s, proxy := behindProxy(t)
			create(t, s, request(s))
			proxy.Fault(enginetest.Fault{Match: c.match, Nth: 1, Do: enginetest.Drop, Before: func(enginetest.Request) { s.Kill() }})
			sandbox := promise(t, s, request(s))
			<-s.Ended()
			proxy.Release()
			require.NoError(t, s.Start(t.Context()))
			requireEnd(t, s, sandbox.ID, c.state)
			if c.state == "Running" {
				endpoint, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
				require.NoError(t, err)
				route := s.Route(edge.Direct, sandbox.ID, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"])
				defer route.Close()
				_, err = route.Command(t.Context(), "true")
				require.NoError(t, err)
			}
			require.NoError(t, s.Delete(t.Context(), sandbox.ID))
		})
	}
}

func TestARepeatedCreateOverARestart(t *testing.T) {
	s := start(t, "")
	key := map[string]string{"Idempotency-Key": "1f6c5c0e"}
	r := request(s)
	r.ResourceLimits = map[string]string{}
	var first, again edge.Sandbox
	require.NoError(t, s.CallWith(t.Context(), key, "POST", "/v1/sandboxes", r, &first))
	require.NoError(t, s.CallWith(t.Context(), key, "POST", "/v1/sandboxes", r, &again))
	require.Equal(t, first.ID, again.ID)
	s.Kill()
	require.NoError(t, s.Start(t.Context()))
	require.NoError(t, s.CallWith(t.Context(), key, "POST", "/v1/sandboxes", r, &again))
	require.Equal(t, first.ID, again.ID)
	listed, err := s.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, listed, 1)
	other := r
	other.Timeout++
	requireStatus(t, s.CallWith(t.Context(), key, "POST", "/v1/sandboxes", other, nil), 409, "SANDBOX::IDEMPOTENCY_KEY_REUSED")
	require.NoError(t, s.Delete(t.Context(), first.ID))
	requireStatus(t, s.CallWith(t.Context(), key, "POST", "/v1/sandboxes", r, nil), 409, "SANDBOX::IDEMPOTENCY_KEY_USED")
}

// requireEnd waits until a sandbox is Pending no more.
func requireEnd(t *testing.T, s *edge.Server, id, state string) edge.Sandbox {
	t.Helper()
	var got edge.Sandbox
	eventually(t, func() (err error) {
		if got, err = s.Get(t.Context(), id); err != nil {
			return edge.Final(err)
		}
		if got.Status.State == "Pending" {
			return errNotYet
		}
		return nil
	})
	require.Equal(t, state, got.Status.State, got.Status.Message)
	return got
}
