package attempts

import "time"

// budget is a number of failures per hour that fills up again evenly. Once overdrawn it
// stays so until half of it is back: a trickle that is free again at once would be one
// more check for the guesser.
type budget struct {
	spent float64
	at    time.Time
	over  bool
}

func (b *budget) settle(now time.Time, perHour float64) {
	if passed := now.Sub(b.at); passed > 0 {
		b.spent = max(0, b.spent-passed.Hours()*perHour)
		b.at = now
	}
	if b.spent <= perHour/2 {
		b.over = false
	}
}

func (b *budget) spend(now time.Time, perHour float64) {
	b.settle(now, perHour)
	b.spent = min(perHour, b.spent+1)
	b.over = b.over || b.spent > perHour-1
}

func (b *budget) overdrawn(now time.Time, perHour float64) bool {
	b.settle(now, perHour)
	return b.over
}
