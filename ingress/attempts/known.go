package attempts

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/opensandbox-edge/edge/ingress/sign"
)

const (
	knownSets = 1 << 11 // × 8 marks of 8 bytes: 128 KiB
	knownWays = 8
)

// known remembers signatures that were right, as 64-bit marks in a table of fixed size.
// Two signatures may share a mark: the second is then checked without waiting for a
// turn, and still checked.
type known struct {
	seed maphash.Seed
	sets *[knownSets][knownWays]atomic.Uint64
}

func newKnown() known {
	return known{seed: maphash.MakeSeed(), sets: new([knownSets][knownWays]atomic.Uint64)}
}

// mark is never 0.
func (k known) mark(r sign.Route, signature string) uint64 {
	var h maphash.Hash
	h.SetSeed(k.seed)
	_, _ = h.WriteString(r.SandboxID)
	_, _ = h.Write([]byte{0, byte(r.Port >> 8), byte(r.Port)})
	_, _ = h.WriteString(r.Expires)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(signature)
	return h.Sum64() | 1
}

func (k known) has(mark uint64) bool {
	set := &k.sets[mark>>1%knownSets]
	for i := range set {
		if set[i].Load() == mark {
			return true
		}
	}
	return false
}

// add makes room, if it must, by forgetting another signature.
func (k known) add(mark uint64) {
	set := &k.sets[mark>>1%knownSets]
	for i := range set {
		if set[i].CompareAndSwap(0, mark) {
			return
		}
	}
	set[mark>>32%knownWays].Store(mark)
}
