package attempts

import (
	"net/netip"
	"time"
)

const (
	// spacing is the least time between two checks of one sandbox over budget.
	spacing = time.Second
	// A turn is kept for a client that comes a little late, and none is given out
	// further ahead than a client would wait.
	grace     = 10 * time.Second
	farthest  = 128 * time.Second
	laneCount = 2
)

// turns hands out the checks of a sandbox over budget. There are two lanes with half the
// checks each, one for networks without a failure, so that guessers in any number wait
// for each other and not a newcomer for them. A network has one turn at a time.
type turns struct {
	last  time.Time            // of the last check
	free  [laneCount]time.Time // the first turn of each lane that nobody has
	of    map[netip.Prefix]time.Time
	swept time.Time
}

// sweep forgets the turns of those who did not come, and calls missed with each. It looks
// once per spacing.
func (t *turns) sweep(now time.Time, missed func(network netip.Prefix)) {
	if now.Sub(t.swept) < spacing {
		return
	}
	t.swept = now
	for network, turn := range t.of {
		if now.Sub(turn) > grace {
			delete(t.of, network)
			missed(network)
		}
	}
}

// take uses the network's turn, or gives it one and says how long that is ahead.
func (t *turns) take(now time.Time, network netip.Prefix, newcomer bool) (ok bool, after time.Duration) {
	turn, has := t.of[network]
	if !has {
		if turn, has = t.reserve(now, network, newcomer); !has {
			return false, farthest
		}
	}
	if turn.Before(t.last.Add(spacing)) {
		turn = t.last.Add(spacing)
	}
	if now.Before(turn) {
		return false, turn.Sub(now)
	}
	t.last = now
	delete(t.of, network)
	return true, 0
}

func (t *turns) reserve(now time.Time, network netip.Prefix, newcomer bool) (turn time.Time, ok bool) {
	lane := &t.free[1]
	if newcomer {
		lane = &t.free[0]
	}
	if turn = *lane; turn.Before(now) {
		turn = now
	}
	if turn.Sub(now) > farthest {
		return time.Time{}, false
	}
	if t.of == nil {
		t.of = make(map[netip.Prefix]time.Time)
	}
	*lane = turn.Add(laneCount * spacing)
	t.of[network] = turn
	return turn, true
}
