package ingress_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/internal/porttest"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// touched is what a Toucher was told.
type touched struct {
	mu    sync.Mutex
	paths []string
}

func (t *touched) Touch(_ *lifecycle.Entry, port uint16, path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paths = append(t.paths, fmt.Sprint(port, path))
}

func (t *touched) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.paths...)
}

func (t *touched) count() int { return len(t.all()) }

// opted runs a sandbox that opted in.
func (e *edge) opted(t *testing.T, entry lifecycle.Entry, h http.HandlerFunc, ports ...uint16) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	entry.State = lifecycle.Running
	e.publish(t, entry, s.Listener.Addr(), ports...)
}

const pace = 10 * time.Millisecond

// drip writes a byte every now and then, until its reader is gone.
func drip(w io.Writer, gone <-chan struct{}) {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		if _, err := w.Write([]byte("x")); err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		select {
		case <-ticker.C:
		case <-gone:
			return
		}
	}
}

func TestStreamsThatFlowAreActivity(t *testing.T) {
	t.Parallel()
	silent := func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	events := func(w http.ResponseWriter, r *http.Request) { drip(w, r.Context().Done()) }
	swallow := func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }
	talk := func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		for ticker := time.NewTicker(pace); c.Write(r.Context(), websocket.MessageText, []byte("x")) == nil; {
			<-ticker.C
		}
	}
	get := func(ctx context.Context, t *testing.T, e *edge, header http.Header) {
		r := direct("8080").request(t, e, "GET", "/", nil).WithContext(ctx)
		for name := range header {
			r.Header.Set(name, header.Get(name))
		}
		if res, err := e.client.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	}
	upload := func(ctx context.Context, t *testing.T, e *edge, header http.Header) {
		in, out := io.Pipe()
		go func() { drip(out, ctx.Done()); _ = out.Close() }()
		r := direct("8080").request(t, e, "POST", "/", in).WithContext(ctx)
		for name := range header {
			r.Header.Set(name, header.Get(name))
		}
		if res, err := e.client.Do(r); err == nil {
			_ = res.Body.Close()
		}
		_ = in.Close()
	}
	socket := func(ctx context.Context, t *testing.T, e *edge, header http.Header) {
		c, _, err := direct("8080").dial(ctx, e, header)
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	}
	skip := http.Header{"Opensandbox-Access-Renew": {"skip"}}
	renews, idles := lifecycle.Entry{ID: id, RenewExtend: time.Hour}, lifecycle.Entry{ID: id, IdleTimeout: time.Hour}
	for _, c := range []struct {
		name    string
		entry   lifecycle.Entry
		sandbox http.HandlerFunc
		client  func(context.Context, *testing.T, *edge, http.Header)
		header  http.Header
		want    int // 3 = many
	}{
		{"events", renews, events, get, nil, 3},
		{"events of a sandbox with an idle timeout", idles, events, get, nil, 3},
		{"upload", renews, swallow, upload, nil, 3},
		{"WebSocket", renews, talk, socket, nil, 3},
		{"silent events", renews, silent, get, nil, 1},
		{"not opted in", lifecycle.Entry{ID: id}, events, get, nil, 1},
		{"events to skip", renews, events, get, skip, 0},
		{"upload to skip", renews, swallow, upload, skip, 0},
		{"WebSocket to skip", renews, talk, socket, skip, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen touched
			e := newEdge(t, func(o *ingress.Options) { o.Toucher = &seen })
			reached := make(chan struct{})
			e.opted(t, c.entry, func(w http.ResponseWriter, r *http.Request) { close(reached); c.sandbox(w, r) }, 8080)
			ctx, cancel := context.WithCancel(t.Context())
			var client sync.WaitGroup
			client.Go(func() { c.client(ctx, t, e, c.header) })
			defer func() { cancel(); client.Wait() }()
			<-reached
			if c.want == 3 {
				require.Eventually(t, func() bool { return seen.count() >= 3 }, eventually, tick)
				return
			}
			require.Eventually(t, func() bool { return seen.count() == c.want }, eventually, tick)
			require.Never(t, func() bool { return seen.count() != c.want }, 10*pace, tick)
		})
	}
}

// On the daemon's port the answer says whether there was an access (threat row X5).
func TestWhatTheDaemonRefusesIsNoAccess(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 204, 404, 500, 401, 403} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var seen touched
			e := newEdge(t, func(o *ingress.Options) { o.Toucher = &seen })
			e.opted(t, lifecycle.Entry{ID: id, RenewExtend: time.Hour}, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(status)
				if status != 204 {
					_, _ = w.Write(make([]byte, 100<<10))
				}
			}, 44772, 8080)
			for _, f := range forms("44772") {
				before := seen.count()
				res, _ := e.do(t, f.request(t, e, "POST", "/command", io.LimitReader(zeros{}, 100<<10)))
				require.Equal(t, status, res.StatusCode)
				if status == 401 || status == 403 {
					require.Equal(t, before, seen.count())
				} else {
					require.Greater(t, seen.count(), before)
				}
			}
			before := seen.count()
			_, _ = e.do(t, direct("8080").request(t, e, "GET", "/", nil))
			require.Greater(t, seen.count(), before, "an application's refusals are its own affair")
		})
	}
	var seen touched
	e := newEdge(t, func(o *ingress.Options) { o.Toucher = &seen })
	_, err := e.Publish(lifecycle.Entry{ID: id, State: lifecycle.Running, RenewExtend: time.Hour, Published: map[uint16]netip.AddrPort{44772: porttest.Reserve(t)}})
	require.NoError(t, err)
	res, _ := e.do(t, direct("44772").request(t, e, "GET", "/files", nil))
	require.Equal(t, 502, res.StatusCode)
	require.Zero(t, seen.count(), "there was no answer")
}

// A ping needs no token, and so says nothing for a sandbox that nobody uses.
func TestPingsOfStrangersAreNoAccess(t *testing.T) {
	var seen touched
	e := newEdge(t, func(o *ingress.Options) { o.Toucher = &seen })
	for name, entry := range map[string]lifecycle.Entry{
		"with a token": {ID: id, RenewExtend: time.Hour, ExecdTokenSum: tokenSum("T")}, "without": {ID: id, RenewExtend: time.Hour},
	} {
		e.opted(t, entry, func(http.ResponseWriter, *http.Request) {}, 44772, 8080)
		for _, f := range forms("44772") {
			before := seen.count()
			res, _ := e.do(t, f.request(t, e, "GET", "/ping", nil))
			require.Equal(t, 200, res.StatusCode, "%s, %s", name, f.name)
			require.Equal(t, before, seen.count(), "%s, %s", name, f.name)
			if entry.ExecdTokenSum == nil {
				continue
			}
			r := f.request(t, e, "GET", "/ping", nil)
			r.Header.Set("X-EXECD-ACCESS-TOKEN", "T")
			res, _ = e.do(t, r)
			require.Equal(t, 200, res.StatusCode)
			require.Greater(t, seen.count(), before, "with the token it is an access")
		}
		before := seen.count()
		_, _ = e.do(t, direct("8080").request(t, e, "GET", "/ping", nil))
		require.Greater(t, seen.count(), before, "an application's /ping is like any other path")
		e.Remove(id, lifecycle.ErrGone)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A long upload is answered at its end. A client that has shown the sandbox's token is
// believed before.
func TestLongUploadsToTheDaemon(t *testing.T) {
	t.Parallel()
	for _, proven := range []bool{true, false} {
		t.Run(fmt.Sprint("with a token ", proven), func(t *testing.T) {
			var seen touched
			e := newEdge(t, func(o *ingress.Options) { o.Toucher = &seen })
			entry := lifecycle.Entry{ID: id, RenewExtend: time.Hour}
			if proven {
				entry.ExecdTokenSum = tokenSum("T")
			}
			reached := make(chan struct{})
			e.opted(t, entry, func(_ http.ResponseWriter, r *http.Request) { close(reached); _, _ = io.Copy(io.Discard, r.Body) }, 44772)
			in, out := io.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			var both sync.WaitGroup
			both.Go(func() { drip(out, ctx.Done()); _ = out.Close() })
			both.Go(func() {
				r := direct("44772").request(t, e, "POST", "/files/upload", in).WithContext(ctx)
				r.Header.Set("X-EXECD-ACCESS-TOKEN", "T")
				if res, err := e.client.Do(r); err == nil {
					_ = res.Body.Close()
				}
				_ = in.Close()
			})
			defer both.Wait()
			defer cancel()
			<-reached
			if proven {
				require.Eventually(t, func() bool { return seen.count() >= 2 }, eventually, tick)
			} else {
				require.Never(t, func() bool { return seen.count() > 0 }, 20*pace, tick)
			}
		})
	}
}

// What leaves for other servers is the path on uri routes, without query or signature.
func TestWhatIsToldOfTheRequest(t *testing.T) {
	var seen touched
	e := newEdge(t, func(o *ingress.Options) { o.Toucher = &seen })
	e.opted(t, lifecycle.Entry{ID: id}, func(http.ResponseWriter, *http.Request) {}, 8080)
	for _, f := range forms("8080") {
		before := seen.count()
		_, _ = e.do(t, f.request(t, e, "GET", "/a%2Fb?secret=1", nil))
		_, _ = e.do(t, f.request(t, e, "GET", "/x2qxvk/8b6de077a/v1?secret=1", nil))
		want := []string{"8080", "8080"}
		if f.name == "uri" {
			want[0] = "8080/a%2Fb"
		}
		require.Equal(t, want, seen.all()[before:], f.name)
	}
}

func BenchmarkTouchAgain(b *testing.B) {
	b.ReportAllocs()
	again := ingress.TouchAgainForTest(&lifecycle.Entry{ID: id, State: lifecycle.Running, RenewExtend: time.Hour})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			again()
		}
	})
}

func TestAccessesMarkedSkipDoNotCount(t *testing.T) {
	e := newEdge(t)
	var got seen
	e.sandbox(t, id, got.handler, 8080)
	for value, touches := range map[string]int64{"": 1, "Skip": 1, "skip": 0, "no": 1} {
		before := e.touches.Load()
		r := direct("8080").request(t, e, "GET", "/", nil)
		r.Header.Set("OpenSandbox-Access-Renew", value)
		res, _ := e.do(t, r)
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, before+touches, e.touches.Load(), "%q", value)
		require.NotContains(t, got.last(t).Header, "Opensandbox-Access-Renew")
	}
}
