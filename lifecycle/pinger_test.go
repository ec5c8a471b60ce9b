package lifecycle_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/porttest"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

func execd(t *testing.T, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

func TestPing(t *testing.T) {
	asked := make(chan *http.Request, 1)
	addr := execd(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r })
	require.NoError(t, lifecycle.NewProber().Ping(t.Context(), lifecycle.Daemon{Address: addr}))
	r := <-asked
	require.Equal(t, "GET /ping", r.Method+" "+r.RequestURI)
	require.Equal(t, addr.String(), r.Host)
}

func TestPingTrustsNothing(t *testing.T) {
	p := lifecycle.NewProber()
	elsewhere := execd(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	for name, h := range map[string]http.HandlerFunc{
		"not ready": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"not execd": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+elsewhere.String()+"/", http.StatusFound)
		},
		"giant head": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 100<<10)) },
		"hangs up":   func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		require.Error(t, p.Ping(t.Context(), lifecycle.Daemon{Address: execd(t, h)}), name)
	}
}

func TestPingReadsALittleOnly(t *testing.T) {
	gone := make(chan struct{})
	addr := execd(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for { // for ever, unless the other side hangs up
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	})
	require.NoError(t, lifecycle.NewProber().Ping(t.Context(), lifecycle.Daemon{Address: addr}))
	select {
	case <-gone:
	case <-time.After(patience):
		t.Fatal("the connection is kept")
	}
}

func TestPingEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts by its backlog, and never answers
	require.NoError(t, err)
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.Error(t, lifecycle.NewProber().Ping(ctx, lifecycle.Daemon{Address: netip.MustParseAddrPort(l.Addr().String())}))
}

// The real prober, through a create: execd is down at first, and then answers.
func TestCreateWaitsForARealExecd(t *testing.T) {
	addr := porttest.Reserve(t)
	b := started(t, func(o *lifecycle.Options) { o.Prober = nil })
	b.runtime.Published = map[uint16]netip.AddrPort{wire.PortExecd: addr}

	result := make(chan error, 1)
	go func() {
		_, err := b.Create(t.Context(), request())
		result <- err
	}()
	b.eventually(func() bool { return b.runtime.Count("start") == 1 })
	select {
	case err := <-result:
		t.Fatalf("create returned before execd was there: %v", err)
	case <-time.After(30 * time.Millisecond):
	}
	l, err := net.Listen("tcp", addr.String())
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	require.NoError(t, <-result)
	require.NoError(t, s.Close())
	<-served
}
