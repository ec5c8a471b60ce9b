package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/backoff"
)

// Back-off of the readiness probe: milliseconds at first, because execd usually
// answers within one, and never a grid coarser than a client would notice.
const (
	firstProbePause = time.Millisecond
	maxProbePause   = 100 * time.Millisecond
	maxProbe        = time.Second
	// firstLook is how long execd may be silent before the backend is asked whether the
	// sandbox still runs. Events usually tell sooner.
	firstLook = 200 * time.Millisecond
	maxLook   = 2 * time.Second
)

// awaitExecd returns when the sandbox's execd has answered, or when its main process
// has ended: the bootstrap starts that only after execd listens, so the sandbox had
// been up. The instance returned is the latest one known. Its pauses are real time and
// not the Clock's, like the deadline they stay within and the connections they wait for.
func (s *Service) awaitExecd(ctx context.Context, u *tracked, inst Instance) (Instance, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, s.o.ReadyTimeout, errSilent)
	defer cancel()
	probes := backoff.Backoff{First: firstProbePause, Most: maxProbePause}
	looks := backoff.Backoff{First: firstLook, Most: maxLook}
	nextLook := time.Now().Add(looks.Next())
	var last error
	for {
		if inst.Status.State.ended() {
			return inst, nil
		}
		if last = s.ping(bounded, u, inst); last == nil {
			return inst, nil
		}
		woken, err := u.pauseOrWake(bounded, probes.Next())
		if err != nil {
			return inst, s.silent(err, last)
		}
		if !woken && time.Now().Before(nextLook) {
			continue
		}
		nextLook = time.Now().Add(looks.Next())
		now, err := s.o.Runtime.Inspect(bounded, inst.ID)
		switch {
		case err == nil:
			inst = now
		case errors.Is(err, ErrNotFound):
			return inst, fmt.Errorf("wait for execd: %w", err)
		}
	}
}

var errSilent = errors.New("execd did not answer")

// silent tells a client that left apart from an execd that never answered.
func (s *Service) silent(err, last error) error {
	if !errors.Is(err, errSilent) {
		return err
	}
	return apierror.New(http.StatusInternalServerError, s.code("SANDBOX_START_FAILED"),
		"The sandbox started, but its execd did not answer within %s.", s.o.ReadyTimeout).Because(last)
}

// ping dials what a route to execd would, or nothing.
func (s *Service) ping(ctx context.Context, u *tracked, inst Instance) error {
	e := s.entry(u.view.Load().with(inst))
	refused := confine(&e)
	d, ok := e.daemon()
	if !ok {
		return fmt.Errorf("the backend reports no usable address (state %s, refused %q)", e.State, refused)
	}
	ctx, cancel := context.WithTimeout(ctx, maxProbe)
	defer cancel()
	return s.o.Prober.Ping(ctx, d)
}

// pauseOrWake waits for d; woken when an event cut the wait short.
func (u *tracked) pauseOrWake(ctx context.Context, d time.Duration) (woken bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-u.wake:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
