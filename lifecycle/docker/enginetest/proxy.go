package enginetest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Proxy stands between a server under test and the engine. It is safe for concurrent use.
type Proxy struct {
	host   string
	server *http.Server

	mu       sync.Mutex
	requests []Request
	faults   []*active
	down     bool
	conns    map[net.Conn]struct{}
}

// Start runs a proxy in front of the engine of DOCKER_HOST, or of the default socket,
// until the test ends. Only Unix sockets are supported.
func Start(t testing.TB) *Proxy {
	t.Helper()
	// A socket's path has about 100 bytes, fewer than many test folders.
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{host: "unix://" + socket, conns: make(map[net.Conn]struct{})}
	engine := engineSocket()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", engine)
		},
		DisableCompression: true,
	}
	p.server = &http.Server{
		Handler: p.handler(&httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine"
			},
			Transport:     transport,
			FlushInterval: -1, // events and progress streams
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
				panic(http.ErrAbortHandler) // like a broken connection, not like an answer
			},
		}),
		ConnState: p.track,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := p.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Error("engine proxy:", err)
		}
	}()
	t.Cleanup(func() {
		p.Release()
		p.Cut()
		_ = p.server.Close()
		<-served
		transport.CloseIdleConnections()
		_ = os.RemoveAll(dir)
	})
	return p
}

// engineSocket is the real engine's socket.
func engineSocket() string {
	if path, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://"); ok {
		return path
	}
	return "/var/run/docker.sock"
}

// Host is the value of DOCKER_HOST that leads to the proxy.
func (p *Proxy) Host() string { return p.host }

// Requests returns what was asked so far, in order of arrival, or the part of it that
// fits all of the matches.
func (p *Proxy) Requests(matches ...Match) []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Request
	for _, r := range p.requests {
		if !slices.ContainsFunc(matches, func(m Match) bool { return !m(r) }) {
			out = append(out, r)
		}
	}
	return out
}

// Reset forgets the requests so far; faults stay.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = nil
}

// Fault adds a fault. The first of several that apply to a request is used.
func (p *Proxy) Fault(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &active{Fault: f, release: make(chan struct{})})
}

// Release lets held requests through and removes all faults.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		close(f.release)
	}
	p.faults = nil
}

// Cut closes every connection of the moment, event streams included.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Down makes the engine look unreachable: connections are cut and new ones are closed at once.
func (p *Proxy) Down() {
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.Cut()
}

// Up ends Down.
func (p *Proxy) Up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// track keeps the open connections.
func (p *Proxy) track(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.conns[c] = struct{}{}
		if p.down {
			_ = c.Close()
		}
	case http.StateClosed:
		delete(p.conns, c)
	}
	// A hijacked connection stays tracked: Cut has to reach it too. It is closed with the
	// test's own client at the latest.
}

// record notes a request and finds the fault that applies to it.
func (p *Proxy) record(r *http.Request) (Request, int, *active) {
	p.mu.Lock()
	defer p.mu.Unlock()
	request := newRequest(r)
	p.requests = append(p.requests, request)
	var chosen *active
	for _, f := range p.faults {
		if f.hit(request) && chosen == nil {
			chosen = f
		}
	}
	return request, len(p.requests) - 1, chosen
}

// answered notes the engine's status of a request; Reset may have forgotten it.
func (p *Proxy) answered(index int, r Request, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if index < len(p.requests) && p.requests[index].At.Equal(r.At) {
		p.requests[index].Status = status
	}
}
