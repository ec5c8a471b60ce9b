package enginetest_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is a small HTTP server on a Unix socket in the engine's place. It is no
// engine; only the proxy is under test here.
func backend(t *testing.T, handler http.HandlerFunc) {
	dir, err := os.MkdirTemp("", "backend")
	require.NoError(t, err)
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	t.Cleanup(func() { _ = server.Close(); <-done; _ = os.RemoveAll(dir) })
}

// client talks to the proxy, one connection per request.
func client(t *testing.T, p *enginetest.Proxy) *http.Client {
	path, _ := strings.CutPrefix(p.Host(), "unix://")
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func post(c *http.Client, path string) (int, string, error) {
	answer, err := c.Post("http://engine"+path, "application/json", strings.NewReader("{}"))
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func TestRecordsAndCounts(t *testing.T) {
	backend(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	p := enginetest.Start(t)
	status, _, err := post(client(t, p), "/v1.41/containers/create?name=a")
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, status)

	calls := p.Requests(enginetest.CreateContainer)
	require.Len(t, calls, 1)
	require.Equal(t, "/containers/create", calls[0].Path)
	require.Equal(t, "name=a", calls[0].Query)
	require.Equal(t, http.StatusCreated, calls[0].Status)
	require.Empty(t, p.Requests(enginetest.StartContainer))
	p.Reset()
	require.Empty(t, p.Requests())
}

func TestFaults(t *testing.T) {
	var seen atomic.Int32
	backend(t, func(w http.ResponseWriter, _ *http.Request) { seen.Add(1); _, _ = io.WriteString(w, "done") })
	p := enginetest.Start(t)
	c := client(t, p)

	p.Fault(enginetest.Fault{Match: enginetest.CreateContainer, Nth: 2, Do: enginetest.Drop})
	_, body, err := post(c, "/v1.41/containers/create")
	require.NoError(t, err)
	require.Equal(t, "done", body)
	_, _, err = post(c, "/v1.41/containers/create")
	require.Error(t, err, "the second create was to be dropped")
	require.EqualValues(t, 1, seen.Load(), "a dropped request reached the engine")
	p.Release()

	var before, after atomic.Int32
	p.Fault(enginetest.Fault{
		Match: enginetest.StartContainer, Do: enginetest.DropAnswer,
		Before: func(enginetest.Request) { before.Add(1) }, After: func(r enginetest.Request) { after.Store(int32(r.Status)) },
	})
	_, _, err = post(c, "/v1.41/containers/x/start")
	require.Error(t, err)
	require.EqualValues(t, 2, seen.Load(), "the engine was to act")
	require.EqualValues(t, 1, before.Load())
	require.EqualValues(t, http.StatusOK, after.Load())
	p.Release()

	p.Fault(enginetest.Fault{Match: enginetest.Anything, Do: enginetest.Answer, Status: http.StatusTeapot, Body: "no"})
	status, body, err := post(c, "/v1.41/anything")
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, status)
	require.Equal(t, "no", body)
}

func TestHold(t *testing.T) {
	backend(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "done") })
	p := enginetest.Start(t)
	c := client(t, p)
	held := make(chan struct{})
	p.Fault(enginetest.Fault{Match: enginetest.Anything, Do: enginetest.Hold, Before: func(enginetest.Request) { close(held) }})
	answered := make(chan error, 1)
	go func() { _, _, err := post(c, "/x"); answered <- err }()
	<-held
	select {
	case <-answered:
		t.Fatal("a held request was answered")
	default:
	}
	p.Release()
	require.NoError(t, <-answered)
}

func TestCutAndDown(t *testing.T) {
	release := make(chan struct{})
	backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first\n")
		w.(http.Flusher).Flush()
		if r.URL.Path == "/events" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
	})
	p := enginetest.Start(t)
	c := client(t, p)
	answer, err := c.Get("http://engine/events")
	require.NoError(t, err)
	defer answer.Body.Close()
	stream := bufio.NewReader(answer.Body)
	line, err := stream.ReadString('\n')
	require.NoError(t, err, "the proxy must not hold a stream back")
	require.Equal(t, "first\n", line)

	p.Down()
	_, err = stream.ReadString('\n')
	require.Error(t, err, "the stream was to be cut")
	_, _, err = post(c, "/x")
	require.Error(t, err)
	p.Up()
	_, _, err = post(c, "/x")
	require.NoError(t, err)
	close(release)
}
