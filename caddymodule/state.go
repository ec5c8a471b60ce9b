package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/opensandbox-edge/edge/caddymodule/inflight"
	"github.com/opensandbox-edge/edge/caddymodule/listener"
	"github.com/opensandbox-edge/edge/config"
)

// states holds the one long-lived state of the process, counted by configuration (and
// by main while it runs), so that it survives reloads.
var states = caddy.NewUsagePool()

// stateKey is the only key: two apps in one process share their sandboxes.
const stateKey = "state"

// closeTimeout bounds closing the state: creates in progress remove what they made.
const closeTimeout = 30 * time.Second

// The back-off of opening the state again, in a build where nothing waits for it.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// state is what outlives configurations: the opened parts, and which configuration's
// settings are in force.
type state struct {
	initial  *config.Config // the state was opened with it
	root     *logRoot
	metrics  *metrics
	inflight inflight.Count

	mu      sync.Mutex
	stack   []*settings // installed configurations, the newest last
	opened  *parts      // nil until open
	current atomic.Pointer[edge]

	stopping atomic.Bool // the program is about to stop; see Hold.Stopping

	ctx    context.Context // of opening in the background
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// pooledState returns the state without taking a share of it.
func pooledState() (found *state) {
	states.Range(func(_, v any) bool {
		found = v.(*state)
		return false
	})
	return found
}

// acquireState takes a share of the state, making it when there is none; loaded tells
// that it was there.
func acquireState(s *settings) (*state, bool, error) {
	v, loaded, err := states.LoadOrNew(stateKey, func() (caddy.Destructor, error) {
		ctx, cancel := context.WithCancel(context.Background())
		made := &state{initial: s.config, root: new(logRoot), ctx: ctx, cancel: cancel}
		var err error
		if made.metrics, err = newMetrics(made); err != nil {
			cancel()
			return nil, err
		}
		return made, nil
	})
	if err != nil {
		return nil, false, err
	}
	st := v.(*state)
	if err := st.accepts(s); err != nil {
		return nil, false, errors.Join(err, releaseState())
	}
	return st, loaded, nil
}

// releaseState gives one share back; the last one closes the state.
func releaseState() error {
	_, err := states.Delete(stateKey)
	return err
}

// accepts refuses settings that the running state cannot take over: another store or
// runtime, and every other key that needs a restart.
func (s *state) accepts(next *settings) error {
	if changed := config.Restart(s.initial, next.config); len(changed) > 0 {
		return fmt.Errorf("these keys cannot change while the server runs; restart it: %s", strings.Join(changed, ", "))
	}
	return nil
}

// install puts a configuration into force. A configuration that is taken out again,
// because another part of it failed to start, gives way to the one before it.
func (s *state) install(next *settings) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stack = append(s.stack, next)
	return s.apply()
}

// uninstall takes a configuration out. The last one stays in force for the requests
// that are still being served.
func (s *state) uninstall(old *settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range s.stack {
		if one == old && len(s.stack) > 1 {
			s.stack = append(s.stack[:i:i], s.stack[i+1:]...)
			_ = s.apply() // it was in force before
			return
		}
	}
}

// apply makes the newest configuration the effective one. s.mu is held.
func (s *state) apply() error {
	newest := s.stack[len(s.stack)-1]
	s.root.set(newest.log)
	listener.SetBacklog(newest.config.Server.Backlog)
	listener.SetLimits(newest.connectionLimits())
	if s.opened == nil {
		return nil
	}
	next, err := newEdge(s, newest)
	if err != nil {
		return err
	}
	s.opened.apply(newest)
	if before := s.current.Load(); before != nil {
		next.rejectedBefore = before.rejectedBefore + before.api.Rejected()
	}
	s.current.Store(next)
	return nil
}

// refresh makes the handlers anew, because the sandboxes are known now.
func (s *state) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.stack) > 0 {
		_ = s.apply() // it was in force before
	}
}

// edge returns the handlers of the effective configuration, nil until the state is ready.
func (s *state) edge() *edge { return s.current.Load() }

// open opens the parts and returns when sandboxes are known: the restore is complete.
func (s *state) open(ctx context.Context, c *config.Config, r Runtime) error {
	opened, err := openParts(ctx, s, c, r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = opened
	if len(s.stack) == 0 {
		return nil
	}
	return s.apply()
}

// openInBackground opens the parts, again and again until it works or the state is
// closed: the backend may come up after us.
func (s *state) openInBackground(c *config.Config, r Runtime) {
	s.wg.Go(func() {
		log := s.root.logger()
		for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
			err := s.open(s.ctx, c, r)
			if err == nil || s.ctx.Err() != nil {
				return
			}
			log.Error("opening the sandboxes failed; trying again", "error", err, "in", wait)
			select {
			case <-time.After(wait):
			case <-s.ctx.Done():
				return
			}
		}
	})
}

// Destruct implements caddy.Destructor: the last share was given back.
func (s *state) Destruct() error {
	s.cancel()
	s.wg.Wait()
	s.mu.Lock()
	opened := s.opened
	s.opened = nil
	s.current.Store(nil)
	s.mu.Unlock()
	if opened == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return opened.close(ctx)
}
