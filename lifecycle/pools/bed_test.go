package pools_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd"
	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/pools"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/store"
	"github.com/opensandbox-edge/edge/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

type answering struct{}

func (answering) Ping(context.Context, lifecycle.Daemon) error { return nil }

// bed is a service with pools on the fake backend and a real store.
type bed struct {
	t       *testing.T
	path    string
	runtime *runtimefake.Runtime
	store   *store.Store
	set     *pools.Set
	service *lifecycle.Service
	limit   int // MaxSandboxes
	ended   bool
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, path: filepath.Join(t.TempDir(), "edge.db"), runtime: runtimefake.New()}
	t.Cleanup(b.close)
	return b
}

// start opens the store and starts a service on what it has.
func (b *bed) start() *bed {
	b.t.Helper()
	var err error
	b.store = openStore(b)
	b.ended = false
	b.set, err = pools.Open(b.t.Context(), pools.Options{Store: b.store, Pace: time.Millisecond, AtOnce: 4})
	require.NoError(b.t, err)
	b.service, err = lifecycle.New(lifecycle.Options{
		Runtime: b.runtime, Store: b.store, Pools: b.set, Prober: answering{},
		Secret: secret.New(strings.Repeat("s", 32)), SecureAccess: true, MaxSandboxes: b.limit,
	})
	require.NoError(b.t, err)
	require.NoError(b.t, b.service.Start(b.t.Context()))
	b.set.Start(b.service)
	return b
}

func openStore(b *bed) *store.Store {
	b.t.Helper()
	s, err := store.Open(b.t.Context(), b.path)
	require.NoError(b.t, err)
	return s
}

func (b *bed) close() {
	if b.store == nil || b.ended {
		return
	}
	b.ended = true
	b.set.Close()
	if b.service != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.service.Close(ctx); err != nil {
			b.t.Errorf("close: %v", err)
		}
	}
	if err := b.store.Close(); err != nil {
		b.t.Errorf("close: %v", err)
	}
}

func (b *bed) eventually(condition func() bool, text string) {
	b.t.Helper()
	require.Eventually(b.t, condition, patience, time.Millisecond, text)
}

const name = "py"

// template is what members of the test's pools are made from.
func template() pools.Template {
	return pools.Template{
		Image: "python:3.11", Entrypoint: []string{"sleep", "inf"}, Resources: map[string]string{"cpu": "500m"},
	}
}

// pool keeps a pool and waits until it has its first members.
func (b *bed) pool(c pools.Capacity, change ...func(*pools.Template)) {
	b.t.Helper()
	p := pools.Pool{Name: name, Template: template(), Capacity: c}
	for _, f := range change {
		f(&p.Template)
	}
	_, err := b.set.Add(b.t.Context(), p)
	require.NoError(b.t, err)
	b.filled((c.BufferMin + c.BufferMax) / 2)
}

func (b *bed) filled(available int) {
	b.t.Helper()
	b.eventually(func() bool {
		v, err := b.set.Get(name)
		return err == nil && v.Status.Available == available && v.Status.Total == v.Status.Available+v.Status.Allocated
	}, "the pool does not fill")
}

// steady is a capacity whose buffer is always n.
func steady(n, most int) pools.Capacity {
	return pools.Capacity{BufferMin: n, BufferMax: n, PoolMax: most}
}

// claim is a request for a sandbox from the test's pool.
func claim(change ...func(*lifecycle.CreateRequest)) lifecycle.CreateRequest {
	r := lifecycle.CreateRequest{Timeout: time.Hour, Extensions: map[string]string{"poolRef": " " + name + " "}}
	for _, f := range change {
		f(&r)
	}
	return r
}

func (b *bed) claim(change ...func(*lifecycle.CreateRequest)) lifecycle.Sandbox {
	b.t.Helper()
	sb, err := b.service.Create(b.t.Context(), claim(change...))
	require.NoError(b.t, err)
	return sb
}

func (b *bed) listed() int {
	b.t.Helper()
	list, err := b.service.List(b.t.Context(), lifecycle.Filter{}, lifecycle.Page{Number: 1, Size: 100})
	require.NoError(b.t, err)
	return list.Total
}

// record is what the store has of a sandbox.
func (b *bed) record(id string) (lifecycle.Record, bool) {
	b.t.Helper()
	all, err := b.store.All(b.t.Context())
	require.NoError(b.t, err)
	for _, r := range all {
		if r.ID == id {
			return r, true
		}
	}
	return lifecycle.Record{}, false
}

// members are the rows of the store: id to claimed.
func (b *bed) members() map[string]bool {
	b.t.Helper()
	rows, err := b.store.Members(b.t.Context())
	require.NoError(b.t, err)
	found := map[string]bool{}
	for _, r := range rows {
		found[r.ID] = r.Claimed
	}
	return found
}

func fails(t *testing.T, err error, status int, code string) *apierror.Error {
	t.Helper()
	var typed *apierror.Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, code, typed.Code, "%v", err)
	require.Equal(t, status, typed.Status, "%v", err)
	require.NotEmpty(t, typed.Message)
	return typed
}

// daemon runs a real execd in which every member of the bed is equipped, and returns its
// env file.
func (b *bed) daemon() (envFile string) {
	b.t.Helper()
	envFile = filepath.Join(b.t.TempDir(), "env")
	require.NoError(b.t, os.WriteFile(envFile, []byte("FROM=image"), 0o600))
	process := environ.FromList(os.Environ())
	process["EXECD_ENVS"], process["TMPDIR"] = envFile, b.t.TempDir()
	d := execd.New(execd.Options{Process: process, EnvFile: envFile})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b.t, err)
	over := make(chan error, 1)
	go func() { over <- d.Serve(l) }()
	b.t.Cleanup(func() {
		d.Shutdown()
		require.NoError(b.t, <-over)
	})
	b.runtime.Published = map[uint16]netip.AddrPort{44772: l.Addr().(*net.TCPAddr).AddrPort()}
	return envFile
}
