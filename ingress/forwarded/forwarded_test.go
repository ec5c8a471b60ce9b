package forwarded_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/forwarded"
	"github.com/opensandbox-edge/edge/ingress/route"
)

func proxies(t testing.TB, list ...string) *forwarded.Proxies {
	t.Helper()
	p, err := forwarded.NewProxies(list)
	require.NoError(t, err)
	return p
}

func request(remote string, header ...string) *http.Request {
	r := httptest.NewRequest("GET", "http://edge.internal:8080/", nil)
	r.RemoteAddr = remote
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

const (
	xff   = "X-Forwarded-For"
	proto = "X-Forwarded-Proto"
	host  = "X-Forwarded-Host"
)

func TestWhoseWordCounts(t *testing.T) {
	list := []string{"10.0.0.0/8", "192.0.2.7", "fd00::/8", "::ffff:172.16.0.0/108", "fe80::/10"}
	for _, c := range []struct {
		name, remote string
		header       []string
		client, hop  string // hop is For(), "" = the client alone
		scheme, host string // "" = the connection's
	}{
		{name: "stranger", remote: "203.0.113.1:999", client: "203.0.113.1"},
		{name: "stranger's claims", remote: "203.0.113.1:999", header: []string{xff, "6.6.6.6", proto, "https", host, "evil", "Forwarded", "for=6.6.6.6", "X-Real-IP", "6.6.6.6"}, client: "203.0.113.1"},
		{name: "proxy without a word", remote: "10.1.1.1:5", client: "10.1.1.1"},
		{name: "proxy", remote: "10.1.1.1:5", header: []string{xff, "203.0.113.1", proto, "https", host, "api.example.com:8443"}, client: "203.0.113.1", hop: "203.0.113.1, 10.1.1.1", scheme: "https", host: "api.example.com:8443"},
		{name: "one trusted address", remote: "192.0.2.7:5", header: []string{xff, "203.0.113.1"}, client: "203.0.113.1", hop: "203.0.113.1, 192.0.2.7"},
		{name: "its neighbour", remote: "192.0.2.8:5", header: []string{xff, "203.0.113.1"}, client: "192.0.2.8"},
		{name: "forged left of the client", remote: "10.1.1.1:5", header: []string{xff, "6.6.6.6, 10.9.9.9, 203.0.113.1"}, client: "203.0.113.1", hop: "203.0.113.1, 10.1.1.1"},
		{name: "chain of proxies", remote: "10.1.1.1:5", header: []string{xff, "6.6.6.6,203.0.113.1 ,10.2.2.2,10.3.3.3"}, client: "203.0.113.1", hop: "203.0.113.1, 10.2.2.2, 10.3.3.3, 10.1.1.1"},
		{name: "chain over several lines", remote: "10.1.1.1:5", header: []string{xff, "6.6.6.6", xff, "203.0.113.1", xff, "10.2.2.2"}, client: "203.0.113.1", hop: "203.0.113.1, 10.2.2.2, 10.1.1.1"},
		{name: "client among the proxies", remote: "10.1.1.1:5", header: []string{xff, "10.2.2.2, 10.3.3.3"}, client: "10.2.2.2", hop: "10.2.2.2, 10.3.3.3, 10.1.1.1"},
		{name: "unknown", remote: "10.1.1.1:5", header: []string{xff, "203.0.113.1, unknown"}, client: "10.1.1.1"},
		{name: "unknown behind a proxy", remote: "10.1.1.1:5", header: []string{xff, "6.6.6.6, _hidden, 10.2.2.2"}, client: "10.2.2.2", hop: "10.2.2.2, 10.1.1.1"},
		{name: "empty entry", remote: "10.1.1.1:5", header: []string{xff, "6.6.6.6, "}, client: "10.1.1.1"},
		{name: "empty header", remote: "10.1.1.1:5", header: []string{xff, ""}, client: "10.1.1.1"},
		{name: "port", remote: "10.1.1.1:5", header: []string{xff, "203.0.113.1:4711"}, client: "203.0.113.1", hop: "203.0.113.1, 10.1.1.1"},
		{name: "IPv6", remote: "[fd00::1]:5", header: []string{xff, "2001:db8::1"}, client: "2001:db8::1", hop: "2001:db8::1, fd00::1"},
		{name: "IPv6 in brackets", remote: "[fd00::1]:5", header: []string{xff, "[2001:db8::1]"}, client: "2001:db8::1", hop: "2001:db8::1, fd00::1"},
		{name: "IPv6 and port", remote: "[fd00::1]:5", header: []string{xff, "[2001:db8::1]:4711"}, client: "2001:db8::1", hop: "2001:db8::1, fd00::1"},
		{name: "IPv4 in brackets", remote: "10.1.1.1:5", header: []string{xff, "[203.0.113.1]"}, client: "10.1.1.1"},
		{name: "IPv6 zones", remote: "[fe80::1%eth0]:5", header: []string{xff, "2001:db8::1, fe80::2%wlan0"}, client: "2001:db8::1", hop: "2001:db8::1, fe80::2, fe80::1"},
		{name: "zone of a stranger", remote: "[2001:db8::1%x]:5", header: []string{xff, "6.6.6.6"}, client: "2001:db8::1"},
		{name: "mapped peer", remote: "[::ffff:10.1.1.1]:5", header: []string{xff, "::ffff:203.0.113.1"}, client: "203.0.113.1", hop: "203.0.113.1, 10.1.1.1"},
		{name: "mapped range", remote: "172.17.0.1:5", header: []string{xff, "203.0.113.1"}, client: "203.0.113.1", hop: "203.0.113.1, 172.17.0.1"},
		{name: "no address at all", remote: "10.1.1.1:5", header: []string{xff, strings.Repeat("A", 9000)}, client: "10.1.1.1"},

		{name: "scheme in any case", remote: "10.1.1.1:5", header: []string{proto, "HTTPS"}, client: "10.1.1.1", scheme: "https"},
		{name: "scheme of WebSockets", remote: "10.1.1.1:5", header: []string{proto, "wss"}, client: "10.1.1.1", scheme: "https"},
		{name: "scheme that is none", remote: "10.1.1.1:5", header: []string{proto, "gopher"}, client: "10.1.1.1"},
		{name: "forged scheme left of the proxy's", remote: "10.1.1.1:5", header: []string{xff, "203.0.113.1", proto, "https, http"}, client: "203.0.113.1", hop: "203.0.113.1, 10.1.1.1", scheme: "http"},
		{name: "scheme at the outermost proxy", remote: "10.1.1.1:5", header: []string{xff, "203.0.113.1, 10.2.2.2", proto, "gopher, https, http"}, client: "203.0.113.1", hop: "203.0.113.1, 10.2.2.2, 10.1.1.1", scheme: "https"},
		{name: "one scheme for many proxies", remote: "10.1.1.1:5", header: []string{xff, "203.0.113.1, 10.2.2.2", proto, "https"}, client: "203.0.113.1", hop: "203.0.113.1, 10.2.2.2, 10.1.1.1", scheme: "https"},
		{name: "forged host left of the proxy's", remote: "10.1.1.1:5", header: []string{xff, "203.0.113.1", host, "evil.example", host, "api.example.com"}, client: "203.0.113.1", hop: "203.0.113.1, 10.1.1.1", host: "api.example.com"},
		{name: "host that is none", remote: "10.1.1.1:5", header: []string{host, "user@evil/\"<x>"}, client: "10.1.1.1"},
		{name: "Forwarded is not read", remote: "10.1.1.1:5", header: []string{"Forwarded", "for=203.0.113.1;proto=https;host=evil", "X-Real-IP", "203.0.113.1"}, client: "10.1.1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := proxies(t, list...).Read(request(c.remote, c.header...))
			require.Equal(t, c.client, o.Client.String())
			if c.hop == "" {
				c.hop = c.client
			}
			require.Equal(t, c.hop, o.For())
			require.Equal(t, orElse(c.scheme, "http"), o.Scheme)
			require.Equal(t, orElse(c.host, "edge.internal:8080"), o.Host)
		})
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func TestNobodyIsTrustedByDefault(t *testing.T) {
	for _, p := range []*forwarded.Proxies{nil, proxies(t)} {
		o := p.Read(request("127.0.0.1:5", xff, "6.6.6.6", proto, "https", host, "evil"))
		require.Equal(t, "127.0.0.1", o.Client.String())
		require.Equal(t, "http", o.Scheme)
		require.Equal(t, "edge.internal:8080", o.Host)
		require.False(t, p.Trusts(netip.MustParseAddr("127.0.0.1")))
	}
}

func TestSchemeOfTheConnection(t *testing.T) {
	r := request("203.0.113.1:5", proto, "http")
	r.TLS = new(tls.ConnectionState)
	o := proxies(t).Read(r)
	require.Equal(t, "https", o.Scheme)
	o = proxies(t, "203.0.113.1").Read(r)
	require.Equal(t, "http", o.Scheme, "what the client used is not what the last hop uses")
}

func TestUnixSocketsAreTrustedByName(t *testing.T) {
	r := request("@", xff, "203.0.113.1")
	local := &net.UnixAddr{Name: "/run/edge.sock", Net: "unix"}
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))

	o := proxies(t, forwarded.Unix).Read(r)
	require.Equal(t, "203.0.113.1", o.Client.String())
	require.Equal(t, "203.0.113.1", o.For())
	require.False(t, o.Peer.IsValid())

	o = proxies(t, "0.0.0.0/0", "::/0").Read(r)
	require.False(t, o.Client.IsValid())
	require.Empty(t, o.For())
	r.RemoteAddr = "10.0.0.1:80"
	o = proxies(t, "10.0.0.0/8").Read(r)
	require.False(t, o.Client.IsValid(), "a peer chose that name for its end")
	o = proxies(t, forwarded.Unix).Read(request("garbage", xff, "203.0.113.1"))
	require.False(t, o.Client.IsValid(), "an unknown peer is not a Unix socket")
}

func TestLongChainsEnd(t *testing.T) {
	p := proxies(t, "10.0.0.0/8")
	o := p.Read(request("10.1.1.1:5", xff, "203.0.113.1"+strings.Repeat(", 10.2.2.2", 5000)))
	require.Equal(t, "10.2.2.2", o.Client.String())
	require.Less(t, len(o.For()), 300)
}

func TestListsAreChecked(t *testing.T) {
	for _, bad := range []string{"", "example.com", "10.0.0.0/33", "unix/", "fe80::1%eth0/64"} {
		_, err := forwarded.NewProxies([]string{bad})
		require.ErrorContains(t, err, "trusted proxy", bad)
	}
}

func TestReadingADirectClientDoesNotAllocate(t *testing.T) {
	p, r := proxies(t, "10.0.0.0/8"), request("203.0.113.1:5")
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = p.Read(r) }))
}

func FuzzRead(f *testing.F) {
	f.Add("10.1.1.1:5", "6.6.6.6, 203.0.113.1,10.2.2.2", "https, http", "a.example, b.example:80", "9.9.9.9")
	f.Add("203.0.113.1:5", "6.6.6.6", "https", "evil", "10.0.0.1")
	f.Add("[fe80::1%eth0]:5", "[::1]:80, fe80::2%x", "wss", "[::1]:8080", "unknown")
	f.Add("@", ",,,", ",", ",", ",")
	p := proxies(f, "10.0.0.0/8", "fe80::/10", forwarded.Unix)
	f.Fuzz(func(t *testing.T, remote, chain, scheme, name, forged string) {
		r := request(remote, xff, chain, proto, scheme, host, name)
		o := p.Read(r)
		require.Contains(t, []string{"http", "https"}, o.Scheme)
		if !p.Trusts(o.Peer) {
			require.Equal(t, o.Peer, o.Client)
			require.Equal(t, "http", o.Scheme)
			require.Equal(t, r.Host, o.Host)
		}
		if o.Host != r.Host {
			_, ok := route.ParseAuthority(o.Host)
			require.True(t, ok)
		}
		require.Empty(t, o.Client.Zone())
		require.False(t, o.Client.Is4In6())
		hops := strings.Split(o.For(), ", ")
		for i, hop := range hops {
			if hop == "" && len(hops) == 1 {
				break
			}
			addr, err := netip.ParseAddr(hop)
			require.NoError(t, err)
			require.True(t, i == 0 || p.Trusts(addr), "nobody but the client is a stranger")
		}
		// A stranger who adds to the front of the list changes nothing.
		if o.Client.IsValid() && !p.Trusts(o.Client) {
			r.Header.Set(xff, forged+","+chain)
			again := p.Read(r)
			require.Equal(t, o.Client, again.Client)
			require.Equal(t, o.For(), again.For())
		}
	})
}
