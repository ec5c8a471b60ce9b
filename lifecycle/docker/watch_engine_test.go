//go:build docker

package docker

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
)

func TestNetworkChangesAreHeard(t *testing.T) {
	cli := engineClient(t)
	r := open(t, nil)
	id := uuid.NewString()
	made, err := r.Create(t.Context(), spec(id))
	require.NoError(t, err)
	heard := make(chan lifecycle.Event, 100)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = r.Watch(ctx, func(e lifecycle.Event) {
			if e.Type == lifecycle.EventConnected || e.BackendID == made.BackendID {
				heard <- e
			}
		})
	}()
	defer func() { cancel(); <-watched }()
	hears := func(want lifecycle.EventType) {
		t.Helper()
		timeout := time.After(waitFor)
		for {
			select {
			case e := <-heard: // engines may tell of one change twice
				if e.Type == want {
					return
				}
			case <-timeout:
				t.Fatalf("no %q event", want)
			}
		}
	}
	hears(lifecycle.EventConnected)
	require.NoError(t, cli.NetworkDisconnect(t.Context(), networkBridge, made.BackendID, false))
	hears(lifecycle.EventDetached)
	require.NoError(t, cli.NetworkConnect(t.Context(), networkBridge, made.BackendID, nil))
	hears(lifecycle.EventAttached)
}

func TestWatchReconnects(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	var mu sync.Mutex
	var heard []lifecycle.Event
	count := func(kind lifecycle.EventType, id string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range heard {
			if e.Type == kind && e.ID == id {
				n++
			}
		}
		return n
	}
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = r.Watch(ctx, func(e lifecycle.Event) { mu.Lock(); defer mu.Unlock(); heard = append(heard, e) })
	}()
	defer func() { cancel(); <-watched }()
	eventually := func(kind lifecycle.EventType, id string, n int) {
		t.Helper()
		require.Eventually(t, func() bool { return count(kind, id) >= n }, waitFor, tick, "%s ×%d", kind, n)
	}
	eventually(lifecycle.EventConnected, "", 1)

	proxy.Down()
	eventually(lifecycle.EventDisconnected, "", 1)
	_, err := r.List(t.Context())
	requireCode(t, err, http.StatusServiceUnavailable, "DOCKER::SANDBOX_QUERY_FAILED")
	require.Equal(t, 1, count(lifecycle.EventConnected, ""), "connected to an engine that is down")
	proxy.Up()
	eventually(lifecycle.EventConnected, "", 2)

	proxy.Fault(enginetest.Fault{Match: enginetest.StreamEvents, Nth: 1, Do: enginetest.Answer, Status: 500, Body: "{}"})
	proxy.Cut()
	eventually(lifecycle.EventConnected, "", 3)
	require.Equal(t, count(lifecycle.EventConnected, ""), count(lifecycle.EventDisconnected, "")+1, "a refused stream is no connection")

	id := uuid.NewString()
	_, err = r.Create(t.Context(), spec(id))
	require.NoError(t, err)
	eventually(lifecycle.EventStarted, id, 1)
}

func TestConcurrentPauseHasOneWinner(t *testing.T) {
	r := open(t, nil)
	id := uuid.NewString()
	_, err := r.Create(t.Context(), spec(id))
	require.NoError(t, err)
	for _, c := range []struct {
		act  func(context.Context, string) error
		code string
	}{{r.Pause, "DOCKER::SANDBOX_NOT_RUNNING"}, {r.Resume, "DOCKER::SANDBOX_NOT_PAUSED"}} {
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = c.act(t.Context(), id) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			requireCode(t, err, http.StatusConflict, c.code)
		}
		require.Equal(t, 1, won, c.code)
	}
}
