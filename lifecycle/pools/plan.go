package pools

import "time"

// counts are the sandboxes of one pool at one moment.
type counts struct {
	making, idle, claimed, leaving int
}

func (n counts) total() int { return n.making + n.idle + n.claimed }

// lack is how many members are to be made, or, when negative, how many idle ones are
// too many (contract 03 §13.4): a buffer within its bounds is left alone, one outside goes
// to their middle.
func (c Capacity) lack(n counts) int {
	buffer := n.idle + n.making
	wanted := buffer
	if buffer < c.BufferMin || buffer > c.BufferMax {
		wanted = (c.BufferMin + c.BufferMax) / 2
		// Rounding must not end below the least that was asked for.
		wanted = max(wanted, c.BufferMin)
	}
	lack := min(max(n.claimed+wanted, c.PoolMin), c.PoolMax) - n.total()
	if lack < 0 {
		return max(lack, -n.idle)
	}
	// Containers that are being removed take room until they are gone.
	return max(0, min(lack, c.PoolMax-n.total()-n.leaving))
}

// pause is how long a pool is left alone after its nth failure in a row.
func pause(failures int) time.Duration {
	if failures == 0 {
		return 0
	}
	const first, most = time.Second, time.Minute
	return min(first<<min(failures-1, 10), most)
}
