package runtimetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Subject is one runtime under test, and the means to act on its backend from
// outside. The factory registers the clean-up of what it opened with t.Cleanup;
// sandboxes made through Spec are removed by the suite.
type Subject struct {
	Runtime lifecycle.Runtime

	// Spec returns a valid spec with the given id, whose main process runs until it is
	// ended from outside. Timeout, metadata and the like may be set by the suite.
	Spec func(id string) lifecycle.Spec
	// BadSpec returns a spec that the backend refuses, for example with an image that
	// does not exist.
	BadSpec func(id string) lifecycle.Spec

	// End makes the main process of a sandbox end with that exit code, behind the
	// runtime's back.
	End func(ctx context.Context, id string, code int) error
	// Remove takes the sandbox's main object away behind the runtime's back, as a user
	// with the engine's command line would. Leftovers may stay.
	Remove func(ctx context.Context, id string) error

	// Wait bounds every wait of the suite; 30 s when zero.
	Wait time.Duration
}

// Run tests the runtime that open makes. Each test opens its own.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"create inspect delete", testCreate},
		{"list", testList},
		{"seed is read back", testSeed},
		{"manual cleanup", testManualCleanup},
		{"delete repeatedly", testDeleteRepeatedly},
		{"delete concurrently", testDeleteConcurrently},
		{"delete in any state", testDeleteAnyState},
		{"delete what was removed outside", testDeleteLeftovers},
		{"pause and resume", testPauseResume},
		{"main process ends", testEnd},
		{"create refused", testCreateRefused},
		{"create cancelled", testCreateCancelled},
		{"concurrent creates", testConcurrentCreates},
		{"events", testEvents},
		{"watch ends with its context", testWatchEnds},
		{"unknown id", testUnknown},
		{"diagnose", testDiagnose},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newBench(t, open(t))) })
	}
}

// bench is a Subject with what the tests have in common.
type bench struct {
	Subject
	t   *testing.T
	ctx context.Context

	mu  sync.Mutex
	ids []string
}

func newBench(t *testing.T, s Subject) *bench {
	if s.Wait == 0 {
		s.Wait = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*s.Wait)
	b := &bench{Subject: s, t: t, ctx: ctx}
	t.Cleanup(func() {
		defer cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, id := range b.ids {
			// The test's own context has ended by now.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Wait)
			if err := s.Runtime.Delete(ctx, id); err != nil {
				t.Errorf("clean up %s: %v", id, err)
			}
			cancel()
		}
	})
	return b
}

// id makes a new id that is cleaned up after the test.
func (b *bench) id() string {
	id := uuid.NewString()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids = append(b.ids, id)
	return id
}

// create makes a sandbox that runs.
func (b *bench) create() lifecycle.Instance {
	b.t.Helper()
	inst, err := b.Runtime.Create(b.ctx, b.Spec(b.id()))
	require.NoError(b.t, err)
	return inst
}

// listed finds a sandbox on the list.
func (b *bench) listed(id string) (lifecycle.Instance, bool) {
	b.t.Helper()
	list, err := b.Runtime.List(b.ctx)
	require.NoError(b.t, err)
	for _, inst := range list {
		if inst.ID == id {
			return inst, true
		}
	}
	return lifecycle.Instance{}, false
}

// gone requires that nothing reports the sandbox any more.
func (b *bench) gone(id string) {
	b.t.Helper()
	_, err := b.Runtime.Inspect(b.ctx, id)
	require.ErrorIs(b.t, err, lifecycle.ErrNotFound)
	_, listed := b.listed(id)
	require.False(b.t, listed, "a removed sandbox is still listed")
}

// eventually waits until the backend reports a state.
func (b *bench) eventually(id string, state lifecycle.State) lifecycle.Instance {
	b.t.Helper()
	var inst lifecycle.Instance
	require.Eventually(b.t, func() bool {
		var err error
		inst, err = b.Runtime.Inspect(b.ctx, id)
		return err == nil && inst.Status.State == state
	}, b.Wait, 10*time.Millisecond, "the sandbox does not become %s", state)
	return inst
}
