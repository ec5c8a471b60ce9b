package lifecycle_test

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func running(id, addr string) lifecycle.Entry {
	return lifecycle.Entry{ID: id, BackendID: "c1", State: lifecycle.Running, Address: netip.MustParseAddr(addr)}
}

func publish(t *testing.T, d *lifecycle.Directory, e lifecycle.Entry) *lifecycle.Entry {
	t.Helper()
	p, err := d.Publish(e)
	require.NoError(t, err)
	return p
}

func TestDirectoryGenerations(t *testing.T) {
	var d lifecycle.Directory
	first := publish(t, &d, running("a", "10.0.0.1"))
	require.NotZero(t, first.Generation)
	require.NotNil(t, first.LastTouch)

	same := running("a", "10.0.0.1")
	same.RenewExtend = 1
	second := publish(t, &d, same)
	require.Equal(t, first.Generation, second.Generation, "the address is the same")
	require.NoError(t, first.Ended())
	require.Same(t, first.LastTouch, second.LastTouch)

	last := second
	for name, change := range map[string]func(*lifecycle.Entry){
		"address": func(e *lifecycle.Entry) { e.Address = netip.MustParseAddr("10.0.0.2") },
		"backend": func(e *lifecycle.Entry) { e.BackendID = "c2" },
		"published": func(e *lifecycle.Entry) {
			e.Published = map[uint16]netip.AddrPort{80: netip.MustParseAddrPort("127.0.0.1:4080")}
		},
	} {
		base := publish(t, &d, running("a", "10.0.0.1"))
		e := running("a", "10.0.0.1")
		change(&e)
		last = publish(t, &d, e)
		require.NotEqual(t, base.Generation, last.Generation, name)
		require.ErrorIs(t, base.Ended(), lifecycle.ErrReplaced, name)
		require.NoError(t, last.Ended(), name)
		require.Same(t, first.LastTouch, last.LastTouch, name)
	}

	paused := running("a", "10.0.0.1")
	paused.State = lifecycle.Paused
	p := publish(t, &d, paused)
	require.ErrorIs(t, last.Ended(), lifecycle.ErrNotRunning)
	require.Error(t, p.Ended())
	_, ok := p.Dial(80)
	require.False(t, ok)
	resumed := publish(t, &d, running("a", "10.0.0.1"))
	require.NotEqual(t, first.Generation, resumed.Generation, "the address may have been somebody else's meanwhile")

	require.Equal(t, 1, d.Len())
	d.Remove("a", lifecycle.ErrGone)
	d.Remove("a", lifecycle.ErrGone)
	require.ErrorIs(t, resumed.Ended(), lifecycle.ErrGone)
	require.Zero(t, d.Len())
	_, ok = d.Lookup("a")
	require.False(t, ok)
}

func TestDirectoryRefusals(t *testing.T) {
	var d lifecycle.Directory
	for _, id := range []string{"", "v1", "sandboxes", "health", "a.b", "a/b", "a\n"} {
		_, err := d.Publish(running(id, "10.0.0.1"))
		require.Error(t, err, "%q", id)
	}
	require.Zero(t, d.Len())
	for _, addr := range []string{"127.0.0.1", "::1", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0"} {
		e, err := d.Publish(running("a", addr))
		require.Error(t, err, addr)
		_, ok := e.Dial(80)
		require.False(t, ok, "%s can be dialled", addr)
	}
	e := lifecycle.Entry{ID: "a", State: lifecycle.Running, Published: map[uint16]netip.AddrPort{
		80: netip.MustParseAddrPort("127.0.0.1:40080"), 81: netip.MustParseAddrPort("169.254.169.254:80"), 82: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 0),
	}}
	p, err := d.Publish(e)
	require.Error(t, err)
	addr, ok := p.Dial(80)
	require.True(t, ok)
	require.Equal(t, netip.MustParseAddrPort("127.0.0.1:40080"), addr)
	for _, port := range []uint16{0, 81, 82, 40080} {
		_, ok = p.Dial(port)
		require.False(t, ok, "port %d", port)
	}
}

// FuzzDial: whatever is published and asked for, what is dialled is an address of the
// entry, on a port of 1…65535, and never one that no route may reach.
func FuzzDial(f *testing.F) {
	f.Add([]byte{10, 0, 0, 1}, uint16(80), []byte{127, 0, 0, 1}, uint16(81), uint16(80))
	f.Add([]byte{169, 254, 169, 254}, uint16(80), []byte{169, 254, 1, 1}, uint16(0), uint16(0))
	f.Fuzz(func(t *testing.T, own []byte, port uint16, host []byte, hostPort, ask uint16) {
		a, _ := netip.AddrFromSlice(own)
		h, _ := netip.AddrFromSlice(host)
		var d lifecycle.Directory
		e, _ := d.Publish(lifecycle.Entry{
			ID: "a", State: lifecycle.Running, Address: a,
			Published: map[uint16]netip.AddrPort{port: netip.AddrPortFrom(h, hostPort)},
		})
		got, ok := e.Dial(ask)
		if !ok {
			return
		}
		require.NotZero(t, got.Port())
		require.NotZero(t, ask)
		require.Contains(t, []netip.AddrPort{netip.AddrPortFrom(a, ask), netip.AddrPortFrom(h, hostPort)}, got)
		addr := got.Addr().Unmap()
		require.False(t, addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified(), "%s", addr)
		if got.Addr() == a && got.Addr() != h {
			require.False(t, addr.IsLoopback())
		}
	})
}

func TestDirectoryUnderLoad(t *testing.T) {
	var d lifecycle.Directory
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 300 {
				id := fmt.Sprint("s", i%10)
				switch {
				case w == 0:
					d.Remove(id, lifecycle.ErrGone)
				case w == 3:
					for e := range d.Range {
						_, _ = e.Dial(80)
					}
				default:
					e, err := d.Publish(running(id, fmt.Sprintf("10.0.%d.%d", w, i%250+1)))
					if err != nil || e.Ctx() == nil {
						t.Error("publish", err)
					}
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for e := range d.Range {
		require.NoError(t, e.Ended())
		n++
	}
	require.Equal(t, n, d.Len())
	age, up := d.EventAge()
	require.Zero(t, age)
	require.True(t, up)
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		var d lifecycle.Directory
		ids := make([]string, n)
		for i := range n {
			ids[i] = fmt.Sprintf("160808dc-2c0c-48c3-875a-%012d", i)
			if _, err := d.Publish(running(ids[i], fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255|1))); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, ok := d.Lookup(ids[i%n]); !ok {
					b.Fatal("lost")
				}
				i += 7919
			}
		})
	}
}
