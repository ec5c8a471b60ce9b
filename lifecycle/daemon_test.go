package lifecycle_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/identity"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

var onHost = netip.MustParseAddr("127.0.0.1")

// shareHost puts sandboxes on the host's network, with execd at addr.
func (b *bed) shareHost(execd netip.AddrPort) {
	b.runtime.Address, b.runtime.SharesHost = onHost, true
	b.runtime.Published = map[uint16]netip.AddrPort{wire.PortExecd: execd}
}

func TestHostNetworkConfinesPorts(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) {
		o.HostPorts, o.ReadyTimeout = []uint16{8080, wire.PortExecd}, 50*time.Millisecond
	})
	execd := netip.AddrPortFrom(onHost, 41234)
	b.shareHost(execd)
	e := b.entry(b.create().ID)
	for port, want := range map[uint16]netip.AddrPort{
		wire.PortExecd: execd, 8080: netip.AddrPortFrom(onHost, 8080), 22: {}, 2019: {}, 2375: {}, 8081: {}, 41234: {}, 0: {},
	} {
		addr, ok := e.Dial(port)
		require.Equal(t, want.IsValid(), ok, "port %d", port)
		require.Equal(t, want, addr, "port %d", port)
	}

	b.runtime.Published = nil
	_, err := b.Create(t.Context(), request())
	fails(t, err, 500, "DOCKER::SANDBOX_START_FAILED") // whoever has the usual port there, it is not its execd
}

// daemon answers challenges as the execd of one sandbox.
type daemon struct {
	proof atomic.Pointer[func(challenge string) string]
}

func (d *daemon) as(key []byte, id string) {
	proof := func(challenge string) string { return identity.Prove(key, id, challenge) }
	d.proof.Store(&proof)
}

func (d *daemon) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(wire.HeaderProof, (*d.proof.Load())(r.Header.Get(wire.HeaderChallenge)))
}

func TestForeignExecdIsNeverUsed(t *testing.T) {
	foreign := new(daemon)
	foreign.as([]byte("key"), "another")
	b := started(t, func(o *lifecycle.Options) {
		o.Prober, o.ReadyTimeout = lifecycle.NewProber(), 50*time.Millisecond
	})
	b.shareHost(execd(t, foreign.serve))
	_, err := b.Create(t.Context(), request())
	fails(t, err, 500, "DOCKER::SANDBOX_START_FAILED")
	b.nothingLeft()
}

func TestExecdOnTheHostProvesItselfForEachConnection(t *testing.T) {
	d := new(daemon)
	d.as(nil, "")
	b := started(t, func(o *lifecycle.Options) { o.Prober = lifecycle.NewProber() })
	b.shareHost(execd(t, d.serve))
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, id string) error {
		if verb == runtimefake.Start {
			sum := sha256.Sum256([]byte(lifecycle.DeriveExecdToken(b.options.Secret, id).Reveal()))
			d.as(sum[:], id)
		}
		return nil
	})
	e := b.entry(b.create().ID)
	require.True(t, e.SharesHost)
	require.NoError(t, b.Confirm(t.Context(), e))

	d.as(nil, e.ID) // another program took the port: it knows the id and not the key
	fails(t, b.Confirm(t.Context(), e), 503, "DOCKER::SANDBOX_NOT_READY")
	d.as(e.ExecdTokenSum[:], e.ID)
	require.NoError(t, b.Confirm(t.Context(), e))
}
