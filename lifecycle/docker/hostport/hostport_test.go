package hostport_test

import (
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
)

var loopback = netip.MustParseAddr("127.0.0.1")

func TestPortsAreHeldUntilReleased(t *testing.T) {
	var b hostport.Book
	h, err := b.Draw(hostport.Default, loopback, 2)
	require.NoError(t, err)
	require.Len(t, h.Ports, 2)
	require.NotEqual(t, h.Ports[0], h.Ports[1])
	for _, port := range h.Ports {
		require.GreaterOrEqual(t, port, hostport.Default.Min)
		require.LessOrEqual(t, port, hostport.Default.Max)
		_, err := net.Listen("tcp", netip.AddrPortFrom(loopback, port).String())
		require.Error(t, err, "somebody else got a held port")
	}
	h.Release()
	h.Release()
	l, err := net.Listen("tcp", netip.AddrPortFrom(loopback, h.Ports[0]).String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	(*hostport.Hold)(nil).Release()
}

func TestTakenPortIsNotDrawn(t *testing.T) {
	var b hostport.Book
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := uint16(l.Addr().(*net.TCPAddr).Port)
	_, err = b.Draw(hostport.Range{Min: port, Max: port}, loopback, 1)
	require.ErrorIs(t, err, hostport.ErrExhausted)
}

// Ports stay apart after their release too: their new owners may not have bound them yet.
func TestConcurrentDrawsShareNoPort(t *testing.T) {
	var b hostport.Book
	const n = 64
	drawn := make([]uint16, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if h, err := b.Draw(hostport.Default, loopback, 1); err == nil {
				h.Release()
				drawn[i] = h.Ports[0]
			}
		})
	}
	wg.Wait()
	seen := map[uint16]bool{}
	for _, port := range drawn {
		require.NotZero(t, port)
		require.False(t, seen[port], "port %d was given twice", port)
		seen[port] = true
	}
}

// A range says little where the address is another machine's: the engine finds out.
func TestAddressOfAnotherMachine(t *testing.T) {
	var b hostport.Book
	h, err := b.Draw(hostport.Range{Min: 41000, Max: 41001}, netip.MustParseAddr("192.0.2.1"), 2)
	require.NoError(t, err)
	require.ElementsMatch(t, []uint16{41000, 41001}, h.Ports)
	h.Release()
	_, err = b.Draw(hostport.Range{Min: 41000, Max: 41001}, netip.MustParseAddr("192.0.2.1"), 1)
	require.ErrorIs(t, err, hostport.ErrExhausted)
}

func TestRange(t *testing.T) {
	require.NoError(t, hostport.Default.Check())
	require.Equal(t, "40000-60000", hostport.Default.String())
	for _, bad := range []hostport.Range{{}, {Min: 80, Max: 90}, {Min: 3000, Max: 2000}} {
		require.Error(t, bad.Check())
	}
}
