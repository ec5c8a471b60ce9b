package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

func init() { caddy.RegisterModule(fakeModule{}) }

// fakeModule is a third party's runtime: runtime.type = "kubernetes" selects it here.
type fakeModule struct{}

// backend is what the fake module opens; a test sets it.
var backend atomic.Pointer[fakeBackend]

type fakeBackend struct {
	*runtimefake.Runtime
	opened atomic.Int64
	closed atomic.Int64
	// gate is waited for by every open; nil = open.
	gate chan struct{}
	fail atomic.Bool
}

func (b *fakeBackend) Close() error {
	b.closed.Add(1)
	return b.Runtime.Close()
}

// Metrics is what a runtime may measure of its own.
func (*fakeBackend) Metrics() prometheus.Collector {
	calls := prometheus.NewCounter(prometheus.CounterOpts{Name: "fake_backend_calls_total"})
	calls.Add(7)
	return calls
}

func (fakeModule) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "opensandbox.runtimes.kubernetes", New: func() caddy.Module { return new(fakeModule) }}
}

func (fakeModule) OpenRuntime(ctx context.Context, _ *config.Config, _ *slog.Logger) (lifecycle.Runtime, error) {
	b := backend.Load()
	b.opened.Add(1)
	if b.gate != nil {
		select {
		case <-b.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if b.fail.Load() {
		var none *fakeBackend // as modules do that pass a constructor's results on
		return none, fmt.Errorf("the backend is down")
	}
	return b, nil
}

// rig is one test's edge: a TOML file, a port and a fake backend.
type rig struct {
	t    *testing.T
	dir  string
	addr string
	fake *fakeBackend
}

const testKey = "seeded-api-key-0123456789"

func newRig(t *testing.T) *rig {
	t.Helper()
	// Nothing of the machine's own may decide a test.
	t.Setenv(config.EnvAPIKey, "")
	t.Setenv(config.EnvInsecure, "")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &rig{t: t, dir: t.TempDir(), addr: free.Addr().String(), fake: &fakeBackend{Runtime: runtimefake.New()}}
	require.NoError(t, free.Close())
	backend.Store(r.fake)
	t.Cleanup(func() {
		require.NoError(t, caddy.Stop())
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		require.Nil(t, pooledState(), "the last configuration closes the state")
	})
	return r
}

// toml writes the file; extra replaces nothing and is appended.
func (r *rig) toml(key string, extra ...string) string {
	r.t.Helper()
	_, port, err := net.SplitHostPort(r.addr)
	require.NoError(r.t, err)
	if key != "" {
		key = fmt.Sprintf("api_key = %q", key)
	}
	path := filepath.Join(r.dir, "sandbox.toml")
	text := fmt.Sprintf(`[server]
host = "127.0.0.1"
port = %s
%s
[runtime]
type = "kubernetes"
execd_image = "example.test/execd:1"
[store]
path = %q
[log]
file_enabled = true
file_path = %q
access_file_path = %q
level = "DEBUG"
%s
`, port, key, filepath.Join(r.dir, "store.db"), r.log(), filepath.Join(r.dir, "access.log"), strings.Join(extra, "\n"))
	require.NoError(r.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (r *rig) log() string { return filepath.Join(r.dir, "server.log") }

// adapt turns the file into Caddy's configuration.
func (r *rig) adapt(path string) []byte {
	r.t.Helper()
	body, err := os.ReadFile(path)
	require.NoError(r.t, err)
	adapted, _, err := Adapter{}.Adapt(body, map[string]any{"filename": path})
	require.NoError(r.t, err)
	return adapted
}

// load runs the file and waits until the state is open.
func (r *rig) load(path string) {
	r.t.Helper()
	require.NoError(r.t, caddy.Load(r.adapt(path), true))
	r.ready()
}

func (r *rig) ready() {
	r.t.Helper()
	require.Eventually(r.t, func() bool { s := pooledState(); return s != nil && s.edge() != nil }, wait, tick)
}

// caddyfile adapts and runs a Caddyfile.
func (r *rig) caddyfile(text string) error {
	r.t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": filepath.Join(r.dir, "Caddyfile")})
	require.NoError(r.t, err)
	return caddy.Load(adapted, true)
}

type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value". Like any client of a server that may be
// reloading it tries once more when its connection closes before the first byte: a
// connection that a configuration took just before it was stopped, or refused, may end.
func (r *rig) do(method, target string, headers ...string) answer {
	r.t.Helper()
	got, err := r.try(method, target, headers...)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		got, err = r.try(method, target, headers...)
	}
	require.NoError(r.t, err)
	return got
}

func (r *rig) try(method, target string, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.addr+target, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

// edit replaces a part of a file.
func edit(t *testing.T, path, old, with string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(replaceOnce(t, readFile(t, path), old, with)), 0o600))
}

func keyHeader(key string) string { return "OPEN-SANDBOX-API-KEY: " + key }

func caddyContext(t *testing.T) caddy.Context {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	return ctx
}
