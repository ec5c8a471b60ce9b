package lifecycle

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// maxHistory bounds what is remembered of one sandbox.
const maxHistory = 32

// Occurrence is something that happened to a sandbox. The same thing happening several
// times in a row is one occurrence.
type Occurrence struct {
	At      time.Time // the last time, UTC
	Times   int       // at least 1
	Warning bool      // something went wrong
	Reason  string    // one word, for example "Created"
	Message string
}

// History is what this process remembers of a sandbox, oldest first.
type History struct {
	Occurrences []Occurrence
	// Complete says that nothing is missing: the process has run for the sandbox's whole
	// life, and there was not more to remember than fits.
	Complete bool
}

// The reasons of occurrences that the backend does not name.
const (
	occurredCreate   = "Creating"
	occurredReady    = "Created"
	occurredRestore  = "Restored"
	occurredAdoption = "Adopted"
	occurredRenewal  = "Renewed"
	occurredMetadata = "MetadataChanged"
	occurredFailure  = "DeleteFailed"
)

// history is the memory of one sandbox: it lives and goes with it. Nothing on the hot
// path writes it.
type history struct {
	mu      sync.Mutex
	entries []Occurrence
	dropped bool
}

func (h *history) add(o Occurrence) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o.At, o.Times = stamp(o.At), 1
	if last := len(h.entries) - 1; last >= 0 && h.entries[last].Reason == o.Reason {
		o.Times = h.entries[last].Times + 1
		h.entries[last] = o
		return
	}
	if len(h.entries) == maxHistory {
		h.entries = slices.Delete(h.entries, 0, 1)
		h.dropped = true
	}
	h.entries = append(h.entries, o)
}

func (h *history) read() History {
	h.mu.Lock()
	defer h.mu.Unlock()
	// A sandbox from a pool begins with its claim: before that it was nobody's.
	whole := !h.dropped && len(h.entries) > 0 && slices.Contains([]string{occurredCreate, occurredReady}, h.entries[0].Reason)
	return History{Occurrences: slices.Clone(h.entries), Complete: whole}
}

// History tells what happened to a sandbox, as far as this process has seen it.
func (s *Service) History(id string) (History, error) {
	u, err := s.find(id)
	if err != nil {
		return History{}, err
	}
	return u.history.read(), nil
}

// note remembers something that happened now.
func (s *Service) note(u *tracked, reason, message string) {
	u.history.add(Occurrence{At: s.clock.Now(), Reason: reason, Message: message})
}

// changed remembers a change of state that the backend reported.
func (s *Service) changed(u *tracked, from, to Status) {
	if from.State == to.State {
		return
	}
	message := strings.TrimSpace("It was " + string(from.State) + " before. " + to.Message)
	u.history.add(Occurrence{At: s.clock.Now(), Warning: to.State == Failed, Reason: string(to.State), Message: message})
}
