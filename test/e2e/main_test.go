//go:build docker

package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// The paths and image names come from the make target, so that a test never falls
// back to something it was not meant to test.
func fromEnv(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	require.NotEmpty(t, v, "set %s, or run `make test-docker`", name)
	return v
}

// prepare writes a configuration and makes sure that nothing of the server outlives the test.
func prepare(t *testing.T, extra string) *edge.Server {
	t.Helper()
	s, err := edge.New(edge.Options{
		Binary:    fromEnv(t, "EDGE_SERVER"),
		ExecdImg:  fromEnv(t, "EDGE_EXECD_IMAGE"),
		DemoImage: fromEnv(t, "EDGE_DEMO_IMAGE"),
		Dir:       t.TempDir(),
		Extra:     extra,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		s.Kill()
		left, err := s.Containers(ctx)
		require.NoError(t, err)
		require.NoError(t, s.RemoveContainers(ctx))
		if t.Failed() {
			t.Logf("containers at the end: %v; server log:\n%s", left, s.Log())
		}
	})
	return s
}

// start runs a server for the time of the test.
func start(t *testing.T, extra string) *edge.Server {
	t.Helper()
	s := prepare(t, extra)
	require.NoError(t, s.Start(t.Context()))
	return s
}

// request is the smallest create request: the demo image, sleeping.
func request(s *edge.Server) edge.CreateRequest {
	r := edge.CreateRequest{Entrypoint: []string{"sleep", "3600"}, Timeout: 300}
	r.Image.URI = s.DemoImage
	return r
}

// create makes a sandbox that the test deletes again, and the token its execd wants.
func create(t *testing.T, s *edge.Server, r edge.CreateRequest) (edge.Sandbox, string) {
	t.Helper()
	sandbox, err := s.Create(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "Running", sandbox.Status.State)
	endpoint, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
	require.NoError(t, err)
	return sandbox, endpoint.Headers["X-EXECD-ACCESS-TOKEN"]
}

func requireStatus(t *testing.T, err error, status int, code string) {
	t.Helper()
	var answer *edge.APIError
	require.ErrorAs(t, err, &answer)
	require.Equal(t, status, answer.Status, answer.Error())
	require.Equal(t, code, answer.Code)
	require.NotEmpty(t, answer.Message)
}

func requireGone(t *testing.T, s *edge.Server, id string) {
	t.Helper()
	_, err := s.Get(t.Context(), id)
	requireStatus(t, err, 404, "DOCKER::SANDBOX_NOT_FOUND")
}

// taken waits until a sandbox whose time is over has gone: first its container, then what
// the server knows of it.
func taken(t *testing.T, s *edge.Server, id string) {
	t.Helper()
	eventually(t, func() error {
		if _, err := s.Get(t.Context(), id); err == nil {
			return errNotYet
		}
		return nil
	})
	requireGone(t, s, id)
	left, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.Empty(t, left)
}

// copyTo reads the rest of an answer.
func copyTo(to *strings.Builder, res *http.Response) (int64, error) {
	return io.Copy(to, res.Body)
}

// promptly is within a second, for a machine that is busy with something else: still sooner
// than any timeout could bring it about.
const promptly = 10 * time.Second

// eventually waits for a condition at most two minutes.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, edge.Until(ctx, check))
}

var errNotYet = errors.New("not yet")
