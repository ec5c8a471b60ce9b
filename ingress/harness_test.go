package ingress_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	apiKey = "test-api-key-0123456789"
	id     = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
	host   = "api.example.com"
	base   = "sb.example.com"
)

// Bounds of waiting for a condition.
const (
	eventually = time.Minute
	tick       = 5 * time.Millisecond
	// promptly is within a second, for a machine that is busy with something else: still
	// sooner than any timeout could bring it about.
	promptly = 10 * time.Second
)

// directory is the real one, with a confirmation the test controls and a touch counter.
type directory struct {
	lifecycle.Directory
	confirm func(context.Context, *lifecycle.Entry) error
	touches atomic.Int64
}

func (d *directory) Confirm(ctx context.Context, e *lifecycle.Entry) error {
	if d.confirm != nil {
		return d.confirm(ctx, e)
	}
	return nil
}

func (d *directory) Touch(*lifecycle.Entry, uint16, string) { d.touches.Add(1) }

// edge is the handler behind the real authentication, on a real listener.
type edge struct {
	*directory
	url       string
	upstreams *upstream.Pools
	client    *http.Client
	handler   http.Handler // authentication included
}

type change func(*ingress.Options)

func newEdge(t testing.TB, changes ...change) *edge {
	t.Helper()
	return newEdgeBehind(t, nil, changes...)
}

// newEdgeBehind is an edge that believes what proxies say about a request's origin.
func newEdgeBehind(t testing.TB, proxies *forwarded.Proxies, changes ...change) *edge {
	t.Helper()
	table, err := route.NewTable(route.Settings{
		APIHosts: []string{host}, WildcardBase: base, URI: true, Header: true,
	})
	require.NoError(t, err)
	keys := auth.NewKeys(auth.Key{Name: "main", Value: secret.New(apiKey)})
	d := new(directory)
	o := ingress.Options{Directory: d, Toucher: d, Table: table, Keys: keys, CORS: auth.NewCORS(), Core: core, Connection: connectionOf}
	for _, c := range changes {
		c(&o)
	}
	if o.Upstreams == nil {
		o.Upstreams = upstream.New(upstream.Options{Confirm: d.Confirm})
	}
	h, err := ingress.New(o)
	require.NoError(t, err)
	a, err := auth.New(auth.Options{Table: table, Keys: keys, Proxies: proxies})
	require.NoError(t, err)
	front := httptest.NewUnstartedServer(behind(a, h))
	front.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	front.Start()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		o.Upstreams.Close()
		front.Close()
		for e := range d.all() {
			d.Remove(e.ID, lifecycle.ErrGone)
		}
	})
	return &edge{
		directory: d, url: front.URL, upstreams: o.Upstreams,
		client: &http.Client{Transport: transport}, handler: front.Config.Handler,
	}
}

type connKey struct{}

func connectionOf(r *http.Request) net.Conn {
	c, _ := r.Context().Value(connKey{}).(net.Conn)
	return c
}

// behind puts authentication in front of a handler, as a server adapter does.
func behind(a *auth.Authenticator, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		admitted, err := a.Admit(w, r)
		if err != nil {
			a.Refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, admitted)
	})
}

func (d *directory) all() func(func(*lifecycle.Entry) bool) { return d.Range }

// sandbox runs a server and publishes it as the given ports of a sandbox.
func (e *edge) sandbox(t testing.TB, id string, h http.HandlerFunc, ports ...uint16) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	e.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running}, s.Listener.Addr(), ports...)
	return s
}

// publish maps ports to addr: published ports may be on loopback, addresses may not.
func (e *edge) publish(t testing.TB, entry lifecycle.Entry, addr net.Addr, ports ...uint16) *lifecycle.Entry {
	t.Helper()
	entry.Published = map[uint16]netip.AddrPort{}
	for _, p := range ports {
		entry.Published[p] = addr.(*net.TCPAddr).AddrPort()
	}
	published, err := e.Publish(entry)
	require.NoError(t, err)
	return published
}

// route forms, as a client writes them.
type form struct{ name, host, prefix, header string }

func forms(port string) []form {
	return []form{
		{name: "direct", host: host, prefix: "/sandboxes/" + id + "/proxy/" + port},
		{name: "wildcard", host: id + "-" + port + "." + base},
		{name: "uri", host: host, prefix: "/" + id + "/" + port},
		{name: "header", host: host, header: id + "-" + port},
	}
}

func (f form) request(t testing.TB, e *edge, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, e.url+f.prefix+path, body)
	require.NoError(t, err)
	r.Host = f.host
	if f.header != "" {
		r.Header.Set("OpenSandbox-Ingress-To", f.header)
	}
	return r
}

// cookies are what a sandbox's plain cookies become on this form.
func (f form) cookies(plain ...string) []string {
	for i, c := range plain {
		if f.prefix != "" {
			plain[i] = c + "; Path=" + f.prefix + "/"
		}
	}
	return plain
}

func direct(port string) form { return forms(port)[0] }

// do sends a request and reads the whole answer.
func (e *edge) do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := e.client.Transport.RoundTrip(r) // a Client would read Location
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

// raw writes bytes to the edge and reads one answer.
func (e *edge) raw(t testing.TB, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(eventually)))
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

func code(t testing.TB, body string) string {
	t.Helper()
	var e struct{ Code, Message string }
	require.NoError(t, json.Unmarshal([]byte(body), &e), body)
	require.NotEmpty(t, e.Message)
	return e.Code
}

// seen is what a sandbox got.
type seen struct {
	mu       sync.Mutex
	requests []*http.Request
	trailers []http.Header
}

func (s *seen) handler(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Clone(context.Background()))
	s.trailers = append(s.trailers, r.Trailer.Clone())
	w.WriteHeader(http.StatusOK)
}

func (s *seen) last(t testing.TB) *http.Request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(t, s.requests)
	return s.requests[len(s.requests)-1]
}

func (s *seen) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func tokenSum(token string) *[32]byte {
	sum := sha256.Sum256([]byte(token))
	return &sum
}
