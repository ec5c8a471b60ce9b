package attempts_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/attempts"
	"github.com/opensandbox-edge/edge/ingress/sign"
)

const sandbox = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"

var (
	begin = time.Unix(2000000000, 0)
	path  = sign.Route{SandboxID: sandbox, Port: 8080, Expires: "x2qy9g"}
)

// addr4 is an address in a network of its own.
func addr4(n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 0x0a000000+uint32(n)<<8)
	return netip.AddrFrom4(b)
}

// guess is a wrong signature, another one every time.
func guess(n int) string { return fmt.Sprintf("%08xa", n) }

// addr6 is an address in the n-th /64 of one /48.
func addr6(n int) netip.Addr {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8, 0, 1, byte(n >> 8), byte(n), 15: 1}
	return netip.AddrFrom16(b)
}

// 200 networks guess, one of them a whole /48 with another /64 each time. A client whose
// signature was right before notices nothing, and one that comes for the first time gets
// in after a few of the pauses that it is told.
func TestGuessersShutNobodyOut(t *testing.T) {
	const (
		networks = 199 // and the /48
		duration = 30 * time.Minute
		right    = "8b6de077a"
		other    = "0ff8cd39a"
		// All networks together hold up a newcomer for one turn of its lane each.
		longest = 200*2*time.Second + 2*128*time.Second
		tries   = 8
	)
	for name, every := range map[string]time.Duration{
		"who come for their turns":       2 * time.Second,
		"who take turns and do not come": 150 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			l := attempts.New()
			old, newcomer := addr4(1), addr4(2)
			ok, _ := l.Tell(begin, old, path, right, sign.Valid)
			require.True(t, ok)
			spend(t, l, begin, 1000)

			told, n, asked, entered := 0, 0, 0, false
			guessed := func(now time.Time, client netip.Addr) {
				n++
				ok, after := l.Tell(now, client, path, guess(n), sign.Mismatch)
				if ok {
					told++
				} else if after <= 0 || after > 200*time.Second {
					t.Fatal(after)
				}
			}
			arrived, due := begin.Add(time.Minute), begin.Add(time.Minute)
			var waited time.Duration
			for now := begin.Add(time.Second); now.Before(begin.Add(duration)); now = now.Add(time.Second) {
				passed := now.Sub(begin)
				for g := range networks {
					if (passed+time.Duration(g)*time.Second)%every == 0 {
						guessed(now, addr4(1000+g))
					}
				}
				for range 10 {
					guessed(now, addr6(n))
				}
				if ok, _ := l.Tell(now, old, path, right, sign.Valid); !ok {
					t.Fatal("a signature that was right before keeps passing")
				}
				if !entered && !now.Before(due) {
					var after time.Duration
					asked++
					if entered, after = l.Tell(now, newcomer, path, other, sign.Valid); entered {
						waited = now.Sub(arrived)
					}
					due = now.Add(after.Truncate(time.Second) + time.Second) // Retry-After is in whole seconds
				}
			}
			require.True(t, entered)
			require.LessOrEqual(t, asked, tries)
			require.LessOrEqual(t, waited, longest)
			require.LessOrEqual(t, told, int(duration/time.Second), "guesses that were told right from wrong")
			require.Positive(t, told)
			t.Logf("let in after %s, %d tries; %d guesses told", waited, asked, told)
		})
	}
}

// One /48 that asks with another /64 each time and never comes back takes one turn, and
// is then no newcomer for a day.
func TestOneNetworkDoesNotTakeTheTurnsOfNewcomers(t *testing.T) {
	l := attempts.New()
	spend(t, l, begin, 1000)
	now := begin
	for n := range 70 {
		l.Tell(now, addr6(n), path, guess(n), sign.Mismatch)
	}
	ok, after := l.Tell(now, addr4(2), path, guess(0), sign.Valid)
	require.False(t, ok)
	require.LessOrEqual(t, after, 4*time.Second)
	ok, _ = l.Tell(now.Add(after), addr4(2), path, guess(0), sign.Valid)
	require.True(t, ok)
}

// Every one of many guessers that wait for their turns gets about as many as the others.
func TestTurnsAreFairBetweenClients(t *testing.T) {
	const clients = 20
	l := attempts.New()
	spend(t, l, begin, 1000)
	told := make([]int, clients)
	for now := begin; now.Before(begin.Add(20 * time.Minute)); now = now.Add(250 * time.Millisecond) {
		for c := range clients {
			asks := 1
			if c == 0 {
				asks = 50 // the loudest
			}
			for range asks {
				if ok, _ := l.Tell(now, addr4(5000+c), path, guess(c), sign.Mismatch); ok {
					told[c]++
				}
			}
		}
	}
	for c, n := range told {
		require.InDelta(t, 600/clients, n, 8, "client %d of %v", c, told)
	}
}

// spend makes failures by clients that stay below their own budgets.
func spend(t *testing.T, l *attempts.Limiter, now time.Time, failures int) {
	t.Helper()
	for n := range failures {
		ok, _ := l.Tell(now, addr4(100000+n/50), path, guess(n), sign.Mismatch)
		require.True(t, ok, n)
	}
}

func TestBudgetOfOneClient(t *testing.T) {
	l := attempts.New()
	for n := range 100 {
		ok, _ := l.Tell(begin, addr4(7), sign.Route{SandboxID: fmt.Sprint(n), Port: 1, Expires: "z"}, guess(n), sign.Mismatch)
		require.True(t, ok)
	}
	elsewhere := sign.Route{SandboxID: "elsewhere", Port: 1, Expires: "z"}
	ok, _ := l.Tell(begin, addr4(7), elsewhere, guess(0), sign.Mismatch)
	require.True(t, ok, "the first turn is free at once")
	ok, after := l.Tell(begin, addr4(7), elsewhere, guess(1), sign.Valid)
	require.False(t, ok, "a right one is not told from a wrong one")
	require.Equal(t, 2*time.Second, after)
	ok, _ = l.Tell(begin, addr4(8), elsewhere, guess(1), sign.Valid)
	require.True(t, ok, "others are not held back")
	ok, _ = l.Tell(begin.Add(time.Hour), addr4(7), elsewhere, guess(2), sign.Mismatch)
	require.True(t, ok)
	ok, _ = l.Tell(begin.Add(time.Hour), addr4(7), elsewhere, guess(3), sign.Mismatch)
	require.True(t, ok, "the budget has filled up")
}

func TestOneClientIsAnAddressOrAnIPv6Network(t *testing.T) {
	l := attempts.New()
	a := netip.MustParseAddr
	for n := range 101 {
		l.Tell(begin, a(fmt.Sprintf("2001:db8:0:1::%x", n)), path, guess(n), sign.Mismatch)
	}
	for from, free := range map[string]bool{
		"2001:db8:0:1::ffff": false, "2001:db8:0:2::1": true, "192.0.2.1": true, "::ffff:192.0.2.1": true,
	} {
		ok, _ := l.Tell(begin, a(from), path, guess(0), sign.Mismatch)
		require.Equal(t, free, ok, from)
	}
	ok, _ := l.Tell(begin, netip.Addr{}, path, guess(0), sign.Mismatch)
	require.True(t, ok, "a server that does not know the client's address")
}

// A turn that was missed is no turn: the next one takes its place, and nobody's table grows.
func TestMissedTurns(t *testing.T) {
	l := attempts.New()
	spend(t, l, begin, 1000)
	for n := range 20000 { // each from a client that never comes back
		l.Tell(begin.Add(time.Duration(n)*50*time.Millisecond), addr4(200000+n), path, guess(n), sign.Mismatch)
	}
	late := begin.Add(20000 * 50 * time.Millisecond)
	_, after := l.Tell(late, addr4(3), path, guess(0), sign.Mismatch)
	require.LessOrEqual(t, after, 128*time.Second)
	late = late.Add(3 * time.Minute)
	ok, after := l.Tell(late, addr4(4), path, guess(0), sign.Valid)
	require.True(t, ok, "%s", after)
}

func TestConcurrentUse(t *testing.T) {
	l := attempts.New()
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for n := range 500 {
				l.Tell(begin.Add(time.Duration(n)*time.Millisecond), addr4(g), path, guess(n), sign.Mismatch)
				l.Tell(begin, addr4(g), path, "8b6de077a", sign.Valid)
			}
		})
	}
	all.Wait()
}

func BenchmarkKnownSignature(b *testing.B) {
	l := attempts.New()
	l.Tell(begin, addr4(1), path, "8b6de077a", sign.Valid)
	b.ReportAllocs()
	for b.Loop() {
		l.Tell(begin, addr4(1), path, "8b6de077a", sign.Valid)
	}
}
