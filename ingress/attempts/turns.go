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
	maxTurns  = 2*int(farthest+grace)/int(laneCount*spacing) + laneCount
)

// turns hands out the checks of a sandbox over budget. There are two lanes with half the
// checks each, one for clients without a failure, so that guessers in any number wait
// for each other and not a newcomer for them. In a lane every client has one turn at a time.
type turns struct {
	last time.Time            // of the last check
	free [laneCount]time.Time // the first turn of each lane that nobody has
	of   map[netip.Prefix]time.Time
}

// take uses the client's turn, or gives it one and says how long that is ahead.
func (t *turns) take(now time.Time, client netip.Prefix, newcomer bool) (ok bool, after time.Duration) {
	turn, has := t.of[client]
	if has && now.Sub(turn) > grace {
		delete(t.of, client)
		has = false
	}
	if !has {
		if turn, has = t.reserve(now, client, newcomer); !has {
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
	delete(t.of, client)
	return true, 0
}

func (t *turns) reserve(now time.Time, client netip.Prefix, newcomer bool) (turn time.Time, ok bool) {
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
	if len(t.of) >= maxTurns {
		t.sweep(now)
	}
	if t.of == nil {
		t.of = make(map[netip.Prefix]time.Time)
	}
	*lane = turn.Add(laneCount * spacing)
	t.of[client] = turn
	return turn, true
}

// sweep forgets the turns of those who did not come.
func (t *turns) sweep(now time.Time) {
	for client, turn := range t.of {
		if now.Sub(turn) > grace {
			delete(t.of, client)
		}
	}
}
