package command

import "time"

// collect forgets finished commands: the old, then the oldest above the bounds on
// their number and on the bytes of output they hold. It runs whenever a command
// finishes, so no goroutine is needed; what lingers after the last one is bounded.
// r.mu is held.
func (r *Registry) collect(now time.Time) {
	var held int64
	for _, c := range r.done {
		held += c.output.Held()
	}
	drop := 0
	for ; drop < len(r.done); drop++ {
		c := r.done[drop]
		expired := now.Sub(c.result.FinishedAt) > r.options.Retention
		if !expired && len(r.done)-drop <= r.options.MaxFinished && held <= r.options.MaxOutputs {
			break
		}
		held -= c.output.Held()
		c.output.Close()
		delete(r.byID, c.id)
	}
	clear(r.done[:drop])
	r.done = r.done[drop:]
}
