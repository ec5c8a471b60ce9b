package ingress_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/auth"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/route"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// TestOwnAddress dials a sandbox by its own address rather than a published port, as on
// a bridge network, and shows that a sandbox which calls itself does not count.
func TestOwnAddress(t *testing.T) {
	addr := machineAddress(t)
	l, err := net.Listen("tcp", netip.AddrPortFrom(addr, 0).String())
	require.NoError(t, err)
	var got seen
	s := httptest.NewUnstartedServer(http.HandlerFunc(got.handler))
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	defer s.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()

	e := newEdge(t)
	_, err = e.Publish(lifecycle.Entry{ID: id, State: lifecycle.Running, Address: addr})
	require.NoError(t, err)
	table, err := route.NewTable(route.Settings{})
	require.NoError(t, err)
	h, err := ingress.New(ingress.Options{Directory: e, Toucher: e, Upstreams: e.upstreams, Core: core, Table: table, Keys: auth.NewKeys()})
	require.NoError(t, err)
	for peer, touches := range map[string]int64{"192.0.2.1:5": 1, netip.AddrPortFrom(addr, 5).String(): 0, "not an address": 1} {
		before := e.touches.Load()
		r := httptest.NewRequest("GET", "http://h/", nil)
		r.RemoteAddr = peer
		decision := &auth.Decision{Route: route.Verdict{Class: route.Proxy, Form: route.FormDirect, SandboxID: id, Port: port, Path: "/x"}}
		decision.Origin = new(forwarded.Proxies).Read(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(auth.NewContext(r.Context(), decision)))
		require.Equal(t, 200, w.Code, w.Body)
		require.Equal(t, before+touches, e.touches.Load(), peer)
	}
	require.Equal(t, 3, got.count())
}

// machineAddress is an address of this machine that a sandbox could have.
func machineAddress(t *testing.T) netip.Addr {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			if ip := p.Addr(); ip.Is4() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
				return ip
			}
		}
	}
	t.Skip("SKIPPED: this machine has no address but loopback, so a sandbox address cannot be dialled")
	return netip.Addr{}
}
