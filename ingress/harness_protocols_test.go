package ingress_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	_ "github.com/opensandbox-edge/edge/internal/extendedconnect"
	"github.com/opensandbox-edge/edge/internal/websockettest"
)

// protocol is an edge that is reached in one version of HTTP.
type protocol struct {
	name string
	*edge
	// round carries requests; upgrade opens WebSockets.
	round, upgrade http.RoundTripper
}

// protocols puts the edge behind listeners for every version of HTTP.
func protocols(t testing.TB, e *edge) []protocol {
	t.Helper()
	h, _ := newHandlerBehindAuth(t, e)
	return protocolsOf(t, e, h)
}

// protocolsOf is protocols with a handler of the caller's; over HTTP/1 it is the edge's own.
func protocolsOf(t testing.TB, e *edge, h http.Handler) []protocol {
	t.Helper()
	plain := &http.Transport{DisableCompression: true}
	t.Cleanup(plain.CloseIdleConnections)
	return []protocol{
		{"HTTP1", e, plain, plain},
		overTLS(t, e, h), overCleartextHTTP2(t, e, h), overHTTP3(t, e, h),
	}
}

// http2Server is set up as Caddy does it: with the module's server, not net/http's own.
func http2Server(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetHTTP2(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	//lint:ignore SA1019 as Caddy does
	require.NoError(t, http2.ConfigureServer(s.Config, nil))
	s.TLS = s.Config.TLSConfig
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func overTLS(t testing.TB, e *edge, h http.Handler) protocol {
	s := http2Server(t, h)
	s.StartTLS()
	c := websockettest.HTTP2(trusting(s), nil)
	t.Cleanup(c.CloseIdleConnections)
	return protocol{"HTTP2", e.at(s.URL), c, c.Upgrades()}
}

func overCleartextHTTP2(t testing.TB, e *edge, h http.Handler) protocol {
	s := http2Server(t, h)
	s.Start()
	c := websockettest.HTTP2(nil, nil)
	t.Cleanup(c.CloseIdleConnections)
	return protocol{"HTTP2 in the clear", e.at(s.URL), c, c.Upgrades()}
}

func overHTTP3(t testing.TB, e *edge, h http.Handler) protocol {
	t.Helper()
	s := httptest.NewUnstartedServer(nil) // for its certificate alone
	s.StartTLS()
	defer s.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http3.Server{Handler: h, TLSConfig: http3.ConfigureTLSConfig(&tls.Config{Certificates: s.TLS.Certificates})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(udp)
	}()
	tr := &http3.Transport{DisableCompression: true, TLSClientConfig: trusting(s), QUICConfig: &quic.Config{}}
	t.Cleanup(func() {
		_ = tr.Close()
		_ = server.Close()
		<-served
		_ = udp.Close()
	})
	return protocol{"HTTP3", e.at("https://" + udp.LocalAddr().String()), tr, websockettest.HTTP3(tr)}
}

// at is the same edge behind another listener.
func (e *edge) at(url string) *edge {
	return &edge{directory: e.directory, url: url, upstreams: e.upstreams, client: e.client}
}

func trusting(s *httptest.Server) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{RootCAs: pool, ServerName: "example.com"} //nolint:gosec // a test's client
}
