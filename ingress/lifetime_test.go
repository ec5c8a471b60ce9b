package ingress_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/internal/porttest"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func TestConnectionsAreKeptPerGeneration(t *testing.T) {
	e := newEdge(t)
	var opened atomic.Int64
	var mu sync.Mutex
	s := e.sandbox(t, id, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) }, 8080)
	peers := map[string]bool{}
	get := func() {
		_, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
		mu.Lock()
		defer mu.Unlock()
		if !peers[body] {
			opened.Add(1)
		}
		peers[body] = true
	}
	for range 10 {
		get()
	}
	require.EqualValues(t, 1, opened.Load(), "one connection serves them all")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, s.Listener.Addr(), 8080)
	get()
	require.EqualValues(t, 1, opened.Load(), "the same target goes on")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, BackendID: "restarted"}, s.Listener.Addr(), 8080)
	get()
	require.EqualValues(t, 2, opened.Load(), "another container never gets the old connection")
}

// TestAReusedAddressGetsNothing: between connect and first byte the address turns out to
// be somebody else's (K9).
func TestAReusedAddressGetsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		confirm func(*edge) error
		status  int
		code    string
	}{
		"stale": {func(*edge) error { return lifecycle.ErrStale }, 503, "DOCKER::SANDBOX_NOT_READY"},
		"gone": {func(e *edge) error {
			e.Remove(id, lifecycle.ErrGone)
			return nil
		}, 404, "DOCKER::SANDBOX_NOT_FOUND"},
		"paused": {func(e *edge) error {
			_, err := e.Publish(lifecycle.Entry{ID: id, State: lifecycle.Paused})
			return err
		}, 409, "DOCKER::SANDBOX_NOT_RUNNING"},
		"backend silent": {func(*edge) error {
			return apierror.New(503, "DOCKER::SANDBOX_QUERY_FAILED", "no answer").Retry(1)
		}, 503, "DOCKER::SANDBOX_QUERY_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			var bytes atomic.Int64
			l := listen(t, func(c net.Conn) {
				n, _ := io.Copy(io.Discard, c)
				bytes.Add(n)
			})
			e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
			e.confirm = func(context.Context, *lifecycle.Entry) error { return c.confirm(e) }
			res, body := e.do(t, direct("8080").request(t, e, "POST", "/", strings.NewReader("secret")))
			require.Equal(t, c.status, res.StatusCode, body)
			require.Equal(t, c.code, code(t, body))
			require.Zero(t, bytes.Load())
		})
	}
}

func TestASandboxThatMovedIsFoundAgain(t *testing.T) {
	e := newEdge(t)
	old := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	moved := false
	var got seen
	s := e.sandbox(t, id, got.handler, 8080)
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, old.Addr(), 8080)
	e.confirm = func(context.Context, *lifecycle.Entry) error {
		if moved {
			return nil
		}
		moved = true
		e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, BackendID: "moved"}, s.Listener.Addr(), 8080)
		return lifecycle.ErrStale
	}
	res, body := e.do(t, direct("8080").request(t, e, "POST", "/", strings.NewReader("x")))
	require.Equal(t, 200, res.StatusCode, body)
	require.Equal(t, 1, got.count())
}

func TestASentRequestIsNeverRepeated(t *testing.T) {
	e := newEdge(t)
	addr, accepted := rawBackend(t, "")
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, addr, 8080)
	res, _ := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 502, res.StatusCode)
	require.Equal(t, 1, accepted())
}

func TestARefusedPort(t *testing.T) {
	t.Parallel()
	published := map[uint16]netip.AddrPort{8080: porttest.Reserve(t), 44772: porttest.Reserve(t)}
	e := newEdge(t, func(o *ingress.Options) { o.Upstreams = ingress.NewPatientUpstreams(o.Directory, time.Hour) })
	_, err := e.Publish(lifecycle.Entry{ID: id, State: lifecycle.Running, Published: published})
	require.NoError(t, err)
	res, body := e.do(t, direct("8080").request(t, e, "POST", "/", strings.NewReader("x"))) // it would take an hour
	require.Equal(t, 502, res.StatusCode)
	require.Equal(t, ingress.CodeConnectionFailed, code(t, body))
	require.NotContains(t, body, published[8080].String())

	e = newEdge(t)
	_, err = e.Publish(lifecycle.Entry{ID: id, State: lifecycle.Running, Published: published})
	require.NoError(t, err)
	res, _ = e.do(t, direct("44772").request(t, e, "GET", "/ping", nil))
	require.Equal(t, 502, res.StatusCode, "execd gets a moment, not for ever")
}

func TestExecdThatStartsLateIsAwaited(t *testing.T) {
	granted := make(chan struct{})
	e := newEdge(t, func(o *ingress.Options) {
		o.OnGranted = func(http.ResponseWriter, *http.Request) { close(granted) }
		o.Upstreams = ingress.NewPatientUpstreams(o.Directory, eventually)
	})
	addr := porttest.Reserve(t)
	_, err := e.Publish(lifecycle.Entry{ID: id, State: lifecycle.Running, Published: map[uint16]netip.AddrPort{44772: addr}})
	require.NoError(t, err)

	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, 1)
	r := direct("44772").request(t, e, "POST", "/command", strings.NewReader("payload"))
	go func() {
		res, err := e.client.Do(r)
		if err != nil {
			answers <- answer{body: err.Error()}
			return
		}
		defer func() { _ = res.Body.Close() }()
		b, _ := io.ReadAll(res.Body)
		answers <- answer{res.StatusCode, string(b)}
	}()
	<-granted
	l, err := net.Listen("tcp", addr.String())
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	defer func() { _ = s.Close(); <-served }()
	require.Equal(t, answer{200, "payload"}, <-answers)
}

func TestADeadConnectionIsATimeout(t *testing.T) {
	err := ingress.Failure(&net.OpError{Op: "read", Err: syscall.ETIMEDOUT})
	require.Equal(t, 504, err.Status)
	require.Equal(t, ingress.CodeResponseTimeout, err.Code)
}

func TestARequestThatWaitsIsAnsweredWhenTheSandboxEnds(t *testing.T) {
	e := newEdge(t)
	entered := make(chan struct{})
	l := listen(t, func(c net.Conn) {
		buf := make([]byte, 1024)
		_, _ = c.Read(buf)
		close(entered)
		_, _ = io.Copy(io.Discard, c)
	})
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, l.Addr(), 8080)
	go func() {
		<-entered
		e.Remove(id, lifecycle.ErrGone)
	}()
	res, body := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 404, res.StatusCode)
	require.Equal(t, "DOCKER::SANDBOX_NOT_FOUND", code(t, body))
}

func TestProxyEnvironmentIsIgnored(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	res, _ := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 200, res.StatusCode)
}

func TestCloseCutsEverything(t *testing.T) {
	e := newEdge(t)
	e.sandbox(t, id, echo, 8080)
	ctx := withTimeout(t)
	c, _, err := direct("8080").dial(ctx, e, nil)
	require.NoError(t, err)
	defer func() { _ = c.CloseNow() }()
	e.upstreams.Close()
	_, _, err = c.Read(ctx)
	require.Error(t, err)
	res, _ := e.do(t, direct("8080").request(t, e, "GET", "/", nil))
	require.Equal(t, 503, res.StatusCode)
}

// listen accepts connections until the test ends and waits for their handlers.
func listen(t testing.TB, serve func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var handlers sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	handlers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			handlers.Go(func() { defer func() { _ = c.Close() }(); serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		handlers.Wait()
	})
	return l
}
