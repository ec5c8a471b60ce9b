package listener

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// bounded puts limits into force for a test and serves on the network: requests to /hold
// last until the test ends, other ones say whether their connection is a reserved one.
func bounded(t *testing.T, l Limits) *bench {
	t.Helper()
	before := open.bounds.Load()
	SetLimits(l)
	ln, err := openSocket(t.Context(), "127.0.0.1:0", net.ListenConfig{})
	require.NoError(t, err)
	b := &bench{t: t, address: ln.Addr().String(), hold: make(chan struct{}), held: make(chan struct{}, 100)}
	type key struct{}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, ConnState: Follow,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, key{}, c) },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				b.held <- struct{}{}
				<-b.hold
			}
			fmt.Fprint(w, Reserved(r.Context().Value(key{}).(net.Conn)))
		}),
	}
	done := make(chan struct{})
	go func() { _ = server.Serve(ln); close(done) }()
	t.Cleanup(func() {
		close(b.hold)
		_ = server.Close()
		<-done
		require.NoError(t, WaitConnections(t.Context()), "every connection is given back")
		require.Empty(t, open.all)
		require.Empty(t, open.clients)
		open.bounds.Store(before)
	})
	return b
}

type bench struct {
	t       *testing.T
	address string
	hold    chan struct{}
	held    chan struct{}
}

// dial connects from a loopback address.
func (b *bench) dial(from string) net.Conn {
	b.t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(b.t.Context(), "tcp", b.address)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { _ = c.Close() })
	require.NoError(b.t, c.SetDeadline(time.Now().Add(time.Minute)))
	return c
}

func (b *bench) send(c net.Conn, path string) {
	b.t.Helper()
	_, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(b.t, err)
}

// busy occupies a connection with a request that lasts.
func (b *bench) busy(from string) net.Conn {
	b.t.Helper()
	c := b.dial(from)
	b.send(c, "/hold")
	<-b.held
	return c
}

// idle is a connection that has been used and waits for its next request.
func (b *bench) idle(from string) net.Conn {
	b.t.Helper()
	c := b.dial(from)
	b.ask(c)
	return c
}

// ask tells whether the connection is served as a reserved one.
func (b *bench) ask(c net.Conn) bool {
	b.t.Helper()
	b.send(c, "/")
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	require.NoError(b.t, err)
	return string(buf[n-4:n]) == "true"
}

// rests waits until n connections wait for a request, and lets them be looked for.
func (b *bench) rests(n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		open.mu.Lock()
		defer open.mu.Unlock()
		open.vain = time.Time{}
		count := 0
		for c := range open.all {
			if c.resting.Load() != 0 {
				count++
			}
		}
		return count == n
	}, time.Minute, time.Millisecond)
}

// requireRefused connects in vain; connecting itself may fail already.
func (b *bench) requireRefused(from string) {
	b.t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(b.t.Context(), "tcp", b.address)
	if err != nil {
		require.ErrorIs(b.t, err, syscall.ECONNRESET)
		return
	}
	defer func() { _ = c.Close() }()
	require.NoError(b.t, c.SetDeadline(time.Now().Add(time.Minute)))
	b.requireClosed(c)
}

func (b *bench) requireClosed(c net.Conn) {
	b.t.Helper()
	_, err := c.Read(make([]byte, 1))
	require.Error(b.t, err)
	require.NotErrorIs(b.t, err, os.ErrDeadlineExceeded, "the connection is open")
}

func TestOneClientGetsNoMoreThanItsConnections(t *testing.T) {
	trusted := netip.MustParseAddr("127.0.0.9")
	b := bounded(t, Limits{Total: 1000, PerClient: 2, Exempt: func(a netip.Addr) bool { return a == trusted }})
	before := open.refused[overClient].Load()
	first := b.busy("127.0.0.2")
	b.busy("127.0.0.2")
	b.requireRefused("127.0.0.2")
	require.Equal(t, before+1, open.refused[overClient].Load())
	b.busy("127.0.0.3")
	for range 5 {
		b.busy(trusted.String())
	}
	// A connection that ends makes room, and so does a raised limit.
	require.NoError(t, first.Close())
	SetLimits(Limits{Total: 1000, PerClient: 3})
	b.busy("127.0.0.2")
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(Metrics{}))
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 4)
}

func TestConnectionsThatWaitAreShedOldestFirst(t *testing.T) {
	b := bounded(t, Limits{Total: 16}) // 2 are the reserve
	shed := open.shed.Load()
	oldest := b.idle("127.0.0.1")
	b.rests(1)
	silent := b.dial("127.0.0.1") // has sent no head
	_, err := io.WriteString(silent, "GET / HT")
	require.NoError(t, err)
	b.rests(2)
	for range 12 {
		b.busy("127.0.0.1")
	}
	require.Equal(t, shed, open.shed.Load(), "there was room for all of them")
	b.busy("127.0.0.1")
	b.requireClosed(oldest)
	b.busy("127.0.0.1")
	b.requireClosed(silent)
	require.Equal(t, shed+2, open.shed.Load())
	require.EqualValues(t, 14, open.size.Load())
}

func TestTheLastConnectionsAreReserved(t *testing.T) {
	b := bounded(t, Limits{Total: 16})
	early := make([]net.Conn, 14)
	for i := range early {
		early[i] = b.busy("127.0.0.1")
	}
	late := b.dial("127.0.0.1")
	require.True(t, b.ask(late))
	b.rests(1)
	refused := open.refused[overTotal].Load()
	b.busy("127.0.0.1")
	b.requireClosed(late) // it waited, and made room
	b.busy("127.0.0.1")   // 16: not even the API gets more
	b.requireRefused("127.0.0.1")
	require.Equal(t, refused+1, open.refused[overTotal].Load())

	require.NoError(t, early[0].Close())
	require.NoError(t, early[1].Close())
	require.NoError(t, early[2].Close())
	require.NoError(t, early[3].Close())
	SetLimits(Limits{Total: 100})
	require.False(t, b.ask(b.dial("127.0.0.1")), "reload makes room")
}

func TestConnectionsAreCountedByNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		"::ffff:192.0.2.1":     "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"2001:db8:1:2:ffff::1": "2001:db8:1:2::",
		"2001:db8:1:3::1":      "2001:db8:1:3::",
		"fe80::1":              "fe80::",
	} {
		got := clientOf(net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 1)))
		require.Equal(t, want, got.String(), address)
	}
	require.False(t, clientOf(&net.UnixAddr{}).IsValid())
}

func TestLimitsByOpenFiles(t *testing.T) {
	b := Limits{}.bounds()
	require.Equal(t, max((openFiles()-spareFiles)/2, leastTotal), b.Total)
	require.Positive(t, b.reserve)
	require.Less(t, b.reserve, b.Total)
	require.Equal(t, 1, Limits{Total: 1}.bounds().reserve)
}

// A client that reads nothing does not hold a connection for ever.
func TestAClientThatDoesNotReadLosesItsConnection(t *testing.T) {
	stallTimeout.Store(int64(300 * time.Millisecond))
	defer stallTimeout.Store(int64(StallTimeout))
	ln, err := openSocket(t.Context(), "127.0.0.1:0", net.ListenConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, ln.Close()) }()
	accept := func() (client, server net.Conn) {
		client, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		server, err = ln.Accept()
		require.NoError(t, err)
		return client, server
	}
	quiet, quietServer := accept()
	defer func() { _ = quiet.Close(); _ = quietServer.Close() }()
	client, server := accept()
	defer func() { _ = client.Close(); _ = server.Close() }()

	require.NoError(t, server.SetWriteDeadline(time.Now().Add(time.Minute)))
	piece := make([]byte, 1<<20)
	for err == nil {
		_, err = server.Write(piece)
	}
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it was the kernel that ended it, long before the deadline")

	// Nothing was sent here, so nothing is overdue.
	_, err = quietServer.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, quiet.SetReadDeadline(time.Now().Add(time.Minute)))
	n, err := quiet.Read(piece)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}
