package feed_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/identity"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// A gateway beside its lifecycle server leads to sandboxes on the host's network as well,
// and asks each execd itself whose it is.
func TestAGatewayWantsTheProofOfAnExecdOnTheHost(t *testing.T) {
	sum := [32]byte{1, 2, 3}
	var foreign atomic.Bool
	execd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := sum[:]
		if foreign.Load() {
			key = nil
		}
		w.Header().Set(wire.HeaderProof, identity.Prove(key, "a", r.Header.Get(wire.HeaderChallenge)))
	}))
	t.Cleanup(execd.Close)
	c := newControl(t)
	_, err := c.Publish(lifecycle.Entry{
		ID: "a", BackendID: "c-a", State: lifecycle.Running, SharesHost: true, ExecdTokenSum: &sum,
		Published: map[uint16]netip.AddrPort{wire.PortExecd: netip.MustParseAddrPort(execd.Listener.Addr().String())},
	})
	require.NoError(t, err)
	g := newClient(t, "http://"+c.address)
	ready(t, g)
	e := lookup(t, g, "a")
	require.True(t, e.SharesHost)
	require.NoError(t, g.Confirm(t.Context(), e))

	foreign.Store(true)
	var refusal *apierror.Error
	require.ErrorAs(t, g.Confirm(t.Context(), e), &refusal)
	require.Equal(t, "KUBERNETES::SANDBOX_NOT_READY", refusal.Code)
	require.Equal(t, http.StatusServiceUnavailable, refusal.Status)
}
