package attempts

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/sign"
)

func TestTablesForgetTheQuietest(t *testing.T) {
	table := newTable[int, budget](3)
	for _, key := range []int{1, 2, 3, 1, 4} {
		table.touch(key).spent++
	}
	require.Len(t, table.at, 3)
	require.Equal(t, 3, table.order.Len())
	for key, spent := range map[int]float64{1: 2, 3: 1, 4: 1} {
		b, ok := table.get(key)
		require.True(t, ok, key)
		require.InDelta(t, spent, b.spent, 0)
	}
	_, ok := table.get(2)
	require.False(t, ok)
}

func TestTurnsAreBounded(t *testing.T) {
	var turns turns
	most := 0
	now := time.Unix(0, 0)
	for n := range 1 << 16 {
		now = now.Add(10 * time.Millisecond)
		client := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 32)
		turns.sweep(now, func(netip.Prefix) {})
		turns.take(now, client, n%2 == 0)
		most = max(most, len(turns.of))
	}
	// Those ahead, in two lanes, and those that may still be late.
	require.LessOrEqual(t, most, laneCount*int((farthest+grace+spacing)/(laneCount*spacing)+1))
}

func TestKnownSignaturesAreBounded(t *testing.T) {
	k := newKnown()
	r := sign.Route{SandboxID: "s", Port: 1, Expires: "1"}
	first := k.mark(r, "first")
	k.add(first)
	require.True(t, k.has(first))
	for n := range 10 {
		k.add(k.mark(r, string(rune('a'+n))))
	}
	require.True(t, k.has(k.mark(r, "j")))
	require.False(t, k.has(k.mark(r, "never")))
	r.Port = 2
	require.NotEqual(t, first, k.mark(r, "first"))
	for n := range 1 << 16 { // each set overflows
		mark := uint64(n)<<1 | uint64(n)<<32 | 1
		if k.add(mark); !k.has(mark) {
			t.Fatal(mark)
		}
	}
}
