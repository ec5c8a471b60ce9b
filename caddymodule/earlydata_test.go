package caddymodule

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"
)

// earlySite is a TLS site with HTTP/3 and the given server options.
func (r *rig) earlySite(options string) *x509.CertPool {
	r.t.Helper()
	path := r.toml(testKey)
	cert, key, trust := certificate(r.t, r.dir)
	require.NoError(r.t, r.caddyfile(`{
	admin off
	grace_period 100ms
	persist_config off
	auto_https disable_redirects
	storage_check off
	storage_clean_interval off
	log {
		output discard
		format opensandbox
	}
	servers {
		protocols h1 h2 h3
		`+options+`
	}
	opensandbox {
		config `+path+`
	}
}
https://localhost:`+itoa(portOf(r.t, r.addr))+` {
	bind opensandbox/127.0.0.1
	tls `+cert+` `+key+`
	opensandbox_auth
	opensandbox_lifecycle
	opensandbox_ingress
}`))
	r.ready()
	return trust
}

// record returns the first packets of a client that sends a request with its ticket. They
// never arrive: whoever has them is the first to send them to the edge.
func record(t *testing.T, config *tls.Config, request *http.Request) (packets [][]byte) {
	t.Helper()
	wire, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = wire.Close() }()
	conn, err := quic.DialAddrEarly(t.Context(), wire.LocalAddr().String(), config, &quic.Config{})
	require.NoError(t, err)
	client := new(http3.Transport).NewClientConn(conn)
	defer func() { _ = client.CloseWithError(0, "") }()
	stream, err := client.OpenRequestStream(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.SendRequestHeader(request))
	require.NoError(t, stream.Close())
	require.NoError(t, wire.SetReadDeadline(time.Now().Add(wait)))
	for len(packets) < 5 { // the client repeats itself
		buf := make([]byte, 2048)
		n, _, err := wire.ReadFrom(buf)
		require.NoError(t, err)
		packets = append(packets, buf[:n])
	}
	return packets
}

// replay sends recorded packets and waits for what the edge says to them, which only the
// client could read.
func replay(t *testing.T, edge string, packets [][]byte) {
	t.Helper()
	c, err := net.Dial("udp", edge)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	for _, p := range packets {
		_, err = c.Write(p)
		require.NoError(t, err)
	}
	require.NoError(t, c.SetReadDeadline(time.Now().Add(wait)))
	_, err = c.Read(make([]byte, 2048))
	require.NoError(t, err)
}

// earlyRequest opens a connection with the session's ticket and sends a request in its first
// packets.
func earlyRequest(t *testing.T, edge string, config *tls.Config, request *http.Request) (status int, early bool) {
	t.Helper()
	conn, err := quic.DialAddrEarly(t.Context(), edge, config, &quic.Config{})
	require.NoError(t, err)
	transport := &http3.Transport{}
	client := transport.NewClientConn(conn)
	defer func() { _ = client.CloseWithError(0, "") }()
	stream, err := client.OpenRequestStream(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.SendRequestHeader(request))
	require.NoError(t, stream.Close())
	res, err := stream.ReadResponse()
	if err != nil { // early data that was refused has to be sent again
		require.ErrorIs(t, err, quic.Err0RTTRejected)
		return 0, false
	}
	_ = res.Body.Close()
	return res.StatusCode, conn.ConnectionState().Used0RTT
}

// With 0-RTT left on, as Caddy has it by default, a recorded command is not run again;
// with the server option it does not even get through (threat row B6).
func TestReplayedRequestsAreNotExecuted(t *testing.T) {
	for name, c := range map[string]struct {
		options string
		early   bool
	}{"0rtt on": {"", true}, "0rtt off": {"0rtt off", false}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			var commands, reads atomic.Int64
			port := r.place(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case http.MethodPost:
					commands.Add(1)
				case http.MethodGet:
					if r.Header.Get("Early-Data") == "1" { // it may want to judge for itself
						reads.Add(1)
					}
				}
			}))
			config := &tls.Config{
				RootCAs: r.earlySite(c.options), ServerName: "localhost", NextProtos: []string{http3.NextProtoH3},
				ClientSessionCache: tls.NewLRUClientSessionCache(4), MinVersion: tls.VersionTLS13,
			}
			request := func(method string) *http.Request {
				target := "https://localhost/sandboxes/" + sandboxID + "/proxy/" + itoa(port) + "/command"
				req, err := http.NewRequestWithContext(t.Context(), method, target, http.NoBody)
				require.NoError(t, err)
				return req
			}

			// An ordinary connection leaves a ticket behind, which is good for one use.
			ticket := func() *tls.Config {
				transport := &http3.Transport{TLSClientConfig: config}
				defer func() { _ = transport.Close() }()
				req := request(http.MethodPut)
				req.URL.Host, req.Host = r.addr, "localhost"
				res, err := transport.RoundTrip(req)
				require.NoError(t, err)
				_ = res.Body.Close()
				require.Equal(t, http.StatusOK, res.StatusCode)
				return config
			}

			status, early := earlyRequest(t, r.addr, ticket(), request(http.MethodPost))
			require.Equal(t, c.early, early)
			if !early { // the ticket does not allow it, so there is nothing to record
				return
			}
			require.Equal(t, http.StatusTooEarly, status)
			replay(t, r.addr, record(t, ticket(), request(http.MethodPost)))
			// What only reads may come early, and shows that replays do arrive.
			replay(t, r.addr, record(t, ticket(), request(http.MethodGet)))
			require.Eventually(t, func() bool { return reads.Load() == 1 }, wait, tick)
			status, _ = earlyRequest(t, r.addr, ticket(), request(http.MethodGet))
			require.Equal(t, http.StatusOK, status)
			require.Zero(t, commands.Load())
		})
	}
}
