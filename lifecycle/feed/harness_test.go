package feed_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/feed"
	"github.com/opensandbox-edge/edge/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	apiKey     = "test-api-key-0123456789"
	eventually = time.Minute
	tick       = 2 * time.Millisecond
)

// control is a lifecycle server's side: a real directory behind real authentication.
type control struct {
	lifecycle.Directory
	confirms atomic.Int64
	confirm  func(*lifecycle.Entry) error
	feed     *feed.Server
	server   *http.Server
	listener net.Listener
	address  string
	handler  http.Handler
	stopping atomic.Bool
}

func newControl(t *testing.T) *control {
	t.Helper()
	c := new(control)
	table, err := route.NewTable(route.Settings{WildcardBase: "sb.example.com", URI: true})
	require.NoError(t, err)
	a, err := auth.New(auth.Options{Table: table, Keys: auth.NewKeys(auth.Key{Name: "main", Value: secret.New(apiKey)})})
	require.NoError(t, err)
	c.feed = feed.NewServer(feed.ServerOptions{Service: service{c}, Stopping: c.stopping.Load})
	c.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, err := a.Admit(w, r)
		switch {
		case err != nil:
			a.Refuse(w, r, err)
		case !feed.Handles(admitted):
			http.Error(w, "not the feed's", http.StatusTeapot)
		default:
			c.feed.ServeHTTP(w, admitted)
		}
	})
	c.listen(t, "127.0.0.1:0")
	t.Cleanup(func() {
		c.feed.Close()
		c.kill()
		c.Range(func(e *lifecycle.Entry) bool { c.Remove(e.ID, lifecycle.ErrGone); return true })
	})
	return c
}

// service is what the feed sees of the lifecycle service.
type service struct{ c *control }

func (s service) Directory() *lifecycle.Directory { return &s.c.Directory }
func (s service) RuntimeName() string             { return "kubernetes" }
func (s service) NotFound(id string) *apierror.Error {
	return apierror.New(404, "KUBERNETES::SANDBOX_NOT_FOUND", "Sandbox %s does not exist.", id)
}

func (s service) Confirm(_ context.Context, e *lifecycle.Entry) error {
	s.c.confirms.Add(1)
	if s.c.confirm != nil {
		return s.c.confirm(e)
	}
	return nil
}

func (c *control) listen(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	c.address, c.listener = l.Addr().String(), l
	c.server = &http.Server{Handler: c.handler}
	go func(s *http.Server) { _ = s.Serve(l) }(c.server)
}

// kill ends the server as a crash does: nothing is said on any connection.
func (c *control) kill() {
	_ = c.listener.Close()
	_ = c.server.Close()
}

func (c *control) put(t *testing.T, id, address string) *lifecycle.Entry {
	t.Helper()
	e, err := c.Publish(lifecycle.Entry{ID: id, BackendID: "c-" + id, State: lifecycle.Running, Address: netip.MustParseAddr(address)})
	require.NoError(t, err)
	return e
}

func newClient(t *testing.T, url string, changes ...func(*feed.ClientOptions)) *feed.Client {
	t.Helper()
	o := feed.ClientOptions{URL: url, Key: secret.New(apiKey)}
	for _, change := range changes {
		change(&o)
	}
	c, err := feed.NewClient(o)
	require.NoError(t, err)
	c.Start()
	t.Cleanup(c.Close)
	return c
}

func soon(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, eventually, tick, what)
}

func ready(t *testing.T, c *feed.Client) {
	t.Helper()
	soon(t, "the first snapshot", func() bool { return c.Ready().Ready })
}

func lookup(t *testing.T, c *feed.Client, id string) *lifecycle.Entry {
	t.Helper()
	e, ok := c.Directory().Lookup(id)
	require.True(t, ok, "%s is known", id)
	return e
}

// peer is a lifecycle server that says exactly this, and then nothing.
func peer(t *testing.T, status int, contentType, text string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s
}

var errSilent = errors.New("the backend does not answer")
