//go:build docker

package e2e

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// TestTheEngineStopsAndStartsUnderLoad stops a private engine while sandboxes are made,
// deleted and used, and starts it again. With live-restore the containers outlive it, and
// so do streams; without, they end with it, and their sandboxes are shown as Failed.
func TestTheEngineStopsAndStartsUnderLoad(t *testing.T) {
	for name, with := range map[string]struct {
		liveRestore bool
		subnet      string
	}{
		"live-restore":       {true, "10.231.7.1/24"},
		"containers stopped": {false, "10.231.8.1/24"},
	} {
		t.Run(name, func(t *testing.T) {
			engine := startEngine(t, with.subnet, with.liveRestore)
			s := engine.serve(t, "")
			kept, tokens := []string{}, map[string]string{}
			for range 4 {
				sandbox, token := create(t, s, request(s))
				kept, tokens[sandbox.ID] = append(kept, sandbox.ID), token
			}
			stream := startCounting(t, s, kept[0], tokens[kept[0]])

			load := startLoad(t, s)
			load.waitFor(t, func() bool { return load.created.Load() >= 3 }, "creates before the stop")
			engine.stop(t)
			load.waitFor(t, func() bool { return load.unavailable.Load() >= 3 }, "creates answered with 503")
			requireStatus(t, s.Call(t.Context(), "POST", "/v1/sandboxes/"+kept[1]+"/pause", nil, nil), 503, "DOCKER::SANDBOX_QUERY_FAILED")
			eventually(t, func() error {
				if status, body := raw(t, s, "GET", "/health/ready", "", s.Key); status != 503 || !strings.Contains(body, "runtime") {
					return errNotYet
				}
				return nil
			})
			if with.liveRestore {
				before := stream.lines.Load()
				eventually(t, func() error {
					if stream.lines.Load() < before+3 {
						return errNotYet
					}
					return nil
				})
			}

			engine.start(t)
			made := load.created.Load()
			load.waitFor(t, func() bool { return load.created.Load() >= made+3 }, "creates after the start")
			left := load.stop()
			eventually(t, func() error {
				if status, _ := raw(t, s, "GET", "/health/ready", "", s.Key); status != 200 {
					return errNotYet
				}
				return nil
			})

			state := "Running"
			if !with.liveRestore {
				state = "Failed"
			}
			for _, id := range kept {
				requireState(t, s, id, state)
			}
			requireSame(t, s, append(left, kept...))
			if with.liveRestore {
				require.NoError(t, stream.ended(), "the stream went on through the outage")
				for _, id := range kept {
					route := s.Route(edge.Direct, id, 44772, tokens[id])
					_, err := route.Command(t.Context(), "true")
					require.NoError(t, err)
					route.Close()
				}
			}
			listed, err := s.List(t.Context(), nil)
			require.NoError(t, err)
			for _, sandbox := range listed {
				require.NoError(t, s.Delete(t.Context(), sandbox.ID))
			}
			requireSame(t, s, nil)
		})
	}
}

// load creates sandboxes and deletes every other one, in a few loops.
type load struct {
	created, unavailable atomic.Int64
	cancel               context.CancelFunc
	wg                   sync.WaitGroup
	mu                   sync.Mutex
	left                 []string // created, and not deleted
	wrong                []error
}

func startLoad(t *testing.T, s *edge.Server) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel}
	for range 3 {
		l.wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				l.once(ctx, s, n%2 == 0)
			}
		})
	}
	t.Cleanup(func() { l.cancel(); l.wg.Wait() })
	return l
}

func (l *load) once(ctx context.Context, s *edge.Server, keep bool) {
	sandbox, err := s.Create(context.WithoutCancel(ctx), request(s))
	var answer *edge.APIError
	switch {
	case err == nil:
		l.created.Add(1)
	case errors.As(err, &answer) && answer.Status == http.StatusServiceUnavailable:
		l.unavailable.Add(1)
		pause(ctx, 50*time.Millisecond)
		return
	case errors.As(err, &answer) && answer.Status == http.StatusInternalServerError:
		return // it was being made as the engine went
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wrong = append(l.wrong, err)
		return
	}
	if !keep {
		_ = s.Delete(context.WithoutCancel(ctx), sandbox.ID) // when the engine is away, once it is back
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = append(l.left, sandbox.ID)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (l *load) waitFor(t *testing.T, condition func() bool, text string) {
	t.Helper()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		require.Empty(t, l.wrong)
	}()
	require.Eventually(t, condition, 2*time.Minute, 10*time.Millisecond, text)
}

// stop ends the load and returns the sandboxes that have to be there.
func (l *load) stop() []string {
	l.cancel()
	l.wg.Wait()
	return l.left
}

// counting is a stream out of a sandbox.
type counting struct {
	lines atomic.Int64
	end   chan error
	stop  context.CancelFunc
}

// startCounting runs a command that says something all the time.
func startCounting(t *testing.T, s *edge.Server, id, token string) *counting {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &counting{end: make(chan error, 1), stop: cancel}
	route := s.Route(edge.Direct, id, 44772, token)
	res, err := route.Do(ctx, "POST", "/command", strings.NewReader(`{"command":"while true; do echo x; sleep 0.2; done"}`), "application/json")
	require.NoError(t, err)
	require.Equal(t, 200, res.StatusCode)
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := res.Body.Read(buffer)
			if n > 0 {
				c.lines.Add(1)
			}
			if err != nil {
				c.end <- err
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); _ = res.Body.Close(); <-c.end; route.Close() })
	return c
}

// ended is nil while the stream goes on.
func (c *counting) ended() error {
	select {
	case err := <-c.end:
		c.end <- err
		return err
	default:
		return nil
	}
}

// requireSame waits until API and engine agree on the sandboxes there are.
func requireSame(t *testing.T, s *edge.Server, ids []string) {
	t.Helper()
	slices.Sort(ids)
	eventually(t, func() error {
		var listed []string
		for page := 1; ; page++ {
			some, err := s.List(t.Context(), map[string][]string{"pageSize": {"200"}, "page": {strconv.Itoa(page)}})
			if err != nil {
				return edge.Final(err)
			}
			for _, sandbox := range some {
				listed = append(listed, sandbox.ID)
			}
			if len(some) < 200 {
				break
			}
		}
		slices.Sort(listed)
		containers, err := s.Containers(t.Context())
		if err != nil {
			return edge.Final(err)
		}
		if !slices.Equal(listed, ids) || len(containers) != len(ids) {
			return errors.New("listed " + strings.Join(listed, " ") + ", wanted " + strings.Join(ids, " "))
		}
		return nil
	})
}
