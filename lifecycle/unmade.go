package lifecycle

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
)

// Failure is why a sandbox that had been promised could not be made.
type Failure struct {
	At      time.Time // UTC, microseconds
	Message string    // as clients see it
}

// reasonUnmade is the status reason of such sandboxes (contract 02 §3).
const reasonUnmade = "PROVISIONING_ERROR"

const (
	// maxUnmade bounds the failures that are remembered at once; the oldest make room.
	maxUnmade = 1024
	// maxFailureText bounds the message of one, in bytes.
	maxFailureText = 1024
)

func (f Failure) status() Status {
	return Status{State: Failed, Reason: reasonUnmade, Message: f.Message, Since: f.At}
}

// keepFailure shows a promised sandbox as Failed for as long as FailureTTL says, and
// removes what there is of it. The caller holds the lock.
func (s *Service) keepFailure(ctx context.Context, u *tracked, why error) {
	ctx, cancel := detached(ctx, teardownTimeout)
	defer cancel()
	record := u.view.Load().record
	message := apierror.From(why).Message
	record.Phase = Unmade
	record.Failure = Failure{At: stamp(s.clock.Now()), Message: strings.ToValidUTF8(message[:min(len(message), maxFailureText)], "")}
	s.changed(u, Status{State: Pending}, record.Failure.status())
	s.showFailure(u, record)
	if err := s.save(ctx, record); err != nil {
		// A restart finds it half made and comes to the same end.
		s.log.ErrorContext(ctx, "could not note that a sandbox could not be made", "sandbox", u.id, "error", err)
	}
	s.clear(ctx, u)
}

// showFailure puts a failure into view and directory, and makes room for it.
func (s *Service) showFailure(u *tracked, record Record) {
	u.view.Store(&view{record: record, status: record.Failure.status()})
	_ = s.publish(u, u.ended.Load())
	for _, id := range s.unmade.add(u.id) {
		s.expiry.set(id, s.clock.Now())
	}
}

// clear removes what the backend has of a sandbox that could not be made, and arms the end
// of the time for which it is shown. The caller holds the lock.
func (s *Service) clear(ctx context.Context, u *tracked) {
	ctx, cancel := detached(ctx, teardownTimeout)
	defer cancel()
	err := s.o.Runtime.Delete(ctx, u.id)
	u.leftovers = err != nil && !errors.Is(err, ErrNotFound)
	if !u.leftovers {
		u.attempts = 0
		s.expiry.set(u.id, s.forgetAt(u))
		return
	}
	u.attempts++
	s.log.ErrorContext(ctx, "could not remove what a failed create left; it will be retried", "sandbox", u.id, "attempt", u.attempts, "error", err)
	s.expiry.set(u.id, s.clock.Now().Add(retryPause(u.attempts)))
}

// forgetAt is when a failure has been shown for long enough.
func (s *Service) forgetAt(u *tracked) time.Time {
	failure := u.view.Load().record.Failure
	if !s.unmade.has(u.id) {
		return failure.At
	}
	return failure.At.Add(s.o.FailureTTL)
}

// expireUnmade is expire for a sandbox that could not be made. The caller holds the lock.
func (s *Service) expireUnmade(ctx context.Context, u *tracked) {
	switch at := s.forgetAt(u); {
	case u.leftovers:
		s.clear(ctx, u)
	case at.After(s.clock.Now()):
		s.expiry.set(u.id, at)
	default:
		s.undo(ctx, u, causeCreate)
	}
}

// unmade are the ids of the failures that are shown, the oldest first.
type unmade struct {
	mu  sync.Mutex
	ids []string
}

// add returns the ids that had to make room.
func (f *unmade) add(id string) (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ids = append(f.ids, id)
	if over := len(f.ids) - maxUnmade; over > 0 {
		out = slices.Clone(f.ids[:over])
		f.ids = slices.Delete(f.ids, 0, over)
	}
	return out
}

func (f *unmade) remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.ids, id); i >= 0 {
		f.ids = slices.Delete(f.ids, i, i+1)
	}
}

func (f *unmade) has(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Contains(f.ids, id)
}

func (f *unmade) len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.ids)
}
