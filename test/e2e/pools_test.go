//go:build docker

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/test/edge"
)

type poolStatus struct{ Total, Allocated, Available int }

// keepPool makes a pool of demo sandboxes with a buffer of n, or gives it that buffer.
func keepPool(t *testing.T, s *edge.Server, method string, n, most int) error {
	t.Helper()
	path := "/v1/pools"
	if method == http.MethodPut {
		path += "/demo"
	}
	return s.Call(t.Context(), method, path, map[string]any{
		"name": "demo",
		"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
			"name": "sandbox", "image": s.DemoImage, "command": []string{"sleep", "3600"},
			"env": []any{map[string]string{"name": "FROM", "value": "template"}},
		}}}},
		"capacitySpec": map[string]int{"bufferMin": n, "bufferMax": n, "poolMax": most, "poolMin": 0},
	}, nil)
}

func poolOf(t *testing.T, s *edge.Server) poolStatus {
	t.Helper()
	var answer struct{ Status poolStatus }
	require.NoError(t, s.Call(t.Context(), http.MethodGet, "/v1/pools/demo", nil, &answer))
	return answer.Status
}

// poolFilled waits for members, and until nothing else of the server's is on the engine.
func poolFilled(t *testing.T, s *edge.Server, available int) {
	t.Helper()
	eventually(t, func() error {
		now := poolOf(t, s)
		if now.Available != available || now.Total != now.Available+now.Allocated {
			return fmt.Errorf("the pool has %+v", now)
		}
		containers, err := s.Containers(t.Context())
		if err != nil {
			return edge.Final(err)
		}
		if len(containers) != now.Total {
			return fmt.Errorf("%d containers for %+v", len(containers), now)
		}
		return nil
	})
}

func fromPool(change ...func(*edge.CreateRequest)) edge.CreateRequest {
	r := edge.CreateRequest{Timeout: 300, Extensions: map[string]string{"poolRef": "demo"}}
	for _, f := range change {
		f(&r)
	}
	return r
}

func TestAPoolOfStartedSandboxes(t *testing.T) {
	s := start(t, "")
	require.NoError(t, keepPool(t, s, http.MethodPost, 2, 6))
	requireStatus(t, keepPool(t, s, http.MethodPost, 2, 6), 409, "KUBERNETES::POOL_ALREADY_EXISTS")
	poolFilled(t, s, 2)
	listed, err := s.List(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, listed)

	sandbox, token := create(t, s, fromPool(func(r *edge.CreateRequest) {
		r.Env = map[string]string{"CLAIM": "it's mine"}
		r.Entrypoint = []string{"sh", "-c", `echo "$CLAIM, $0" > /tmp/started; exec sleep 3600`, "a b"}
		r.Metadata = map[string]string{"team": "ml"}
	}))
	require.Equal(t, map[string]string{"team": "ml"}, sandbox.Metadata)
	require.WithinDuration(t, sandbox.CreatedAt.Add(300*time.Second), *sandbox.ExpiresAt, 0)
	route := s.Route(edge.Wildcard, sandbox.ID, 44772, token)
	defer route.Close()
	out, err := route.Command(t.Context(), `echo "$FROM, $CLAIM"`)
	require.NoError(t, err)
	require.Equal(t, "template, it's mine", strings.TrimSpace(out))
	eventually(t, func() error {
		if out, err := route.Command(t.Context(), "cat /tmp/started"); err != nil || strings.TrimSpace(out) != "it's mine, a b" {
			return fmt.Errorf("%q, %w", out, errors.Join(err, errNotYet))
		}
		return nil
	})

	poolFilled(t, s, 2)
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	poolFilled(t, s, 2)
	other, token := create(t, s, fromPool())
	require.NotEqual(t, sandbox.ID, other.ID)
	fresh := s.Route(edge.Wildcard, other.ID, 44772, token)
	defer fresh.Close()
	out, err = fresh.Command(t.Context(), `echo "$FROM, $CLAIM"; ls /tmp`)
	require.NoError(t, err)
	require.Equal(t, "template,", strings.TrimSpace(out), "nothing of the sandbox before")

	require.NoError(t, s.Call(t.Context(), http.MethodDelete, "/v1/pools/demo", nil, nil))
	requireConsistent(t, s, other.ID)
	require.NoError(t, s.Delete(t.Context(), other.ID))
}

// A reload and a restart leave members where they are; without its store the server adopts none.
func TestMembersOutliveTheServer(t *testing.T) {
	s := start(t, "")
	require.NoError(t, keepPool(t, s, http.MethodPost, 2, 6))
	poolFilled(t, s, 2)
	mine, token := create(t, s, fromPool())
	poolFilled(t, s, 2)
	plain, _ := create(t, s, request(s))
	require.NoError(t, s.Delete(t.Context(), plain.ID))
	members, err := s.Containers(t.Context())
	require.NoError(t, err)

	require.NoError(t, s.Signal(syscall.SIGHUP))
	eventually(t, func() error {
		if !strings.Contains(s.Log(), "configuration reloaded") {
			return errNotYet
		}
		return nil
	})
	poolFilled(t, s, 2)
	require.NoError(t, s.Stop())
	require.NoError(t, s.Start(t.Context()))
	poolFilled(t, s, 2)
	now, err := s.Containers(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, members, now, "none was made or removed")
	route := s.Route(edge.Wildcard, mine.ID, 44772, token)
	defer route.Close()
	_, err = route.Command(t.Context(), "true")
	require.NoError(t, err)
	kept, err := s.Get(t.Context(), mine.ID)
	require.NoError(t, err)
	require.Equal(t, mine.ExpiresAt, kept.ExpiresAt)

	plain, _ = create(t, s, request(s))
	require.NoError(t, s.Stop())
	require.NoError(t, s.ForgetStore())
	require.NoError(t, s.Start(t.Context()))
	requireConsistent(t, s, plain.ID)
	require.NoError(t, s.Delete(t.Context(), plain.ID))
}

// The figures are logged and not judged: the machine may be busy with something else.
func TestAClaimBesideAColdCreate(t *testing.T) {
	listen := freeAddr(t)
	s := start(t, fmt.Sprintf("[metrics]\nlisten = %q\n", listen))
	const times = 15
	require.NoError(t, keepPool(t, s, http.MethodPost, 1, times+2))
	poolFilled(t, s, 1)
	var warm, cold []time.Duration
	for range times {
		for _, way := range []struct {
			took *[]time.Duration
			ask  edge.CreateRequest
		}{{&warm, fromPool()}, {&cold, request(s)}} {
			begin := time.Now()
			sandbox, err := s.Create(t.Context(), way.ask)
			require.NoError(t, err)
			endpoint, err := s.Endpoint(t.Context(), sandbox.ID, 44772, "")
			require.NoError(t, err)
			route := s.Route(edge.Wildcard, sandbox.ID, 44772, endpoint.Headers["X-EXECD-ACCESS-TOKEN"])
			status, _, err := route.Read(t.Context(), http.MethodGet, "/ping", nil, "")
			*way.took = append(*way.took, time.Since(begin))
			route.Close()
			require.NoError(t, err)
			require.Equal(t, 200, status)
			require.NoError(t, s.Delete(t.Context(), sandbox.ID))
		}
		poolFilled(t, s, 1)
	}
	for way, took := range map[string][]time.Duration{"claim": warm, "cold create": cold} {
		slices.Sort(took)
		t.Logf("%s to execd's /ping through the edge: p50 %s, slowest %s", way, took[len(took)/2], took[len(took)-1])
	}
	res, err := http.Get("http://" + listen + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	metrics := string(text)
	require.Regexp(t, `opensandbox_sandbox_create_duration_seconds_count\{outcome="ok",path="pool",runtime="docker"\} 15`, metrics)
	require.Regexp(t, `opensandbox_sandbox_create_duration_seconds_count\{outcome="ok",path="cold",runtime="docker"\} 15`, metrics)
	require.Regexp(t, `opensandbox_pool_claims_total\{path="pool"\} 15`, metrics)
	require.Regexp(t, `opensandbox_pool_members\{state="idle"\} 1`, metrics)
}

// The server is killed while claims are under way. Whoever got an answer keeps the sandbox,
// nobody gets it a second time, and nothing is left that is neither a member nor listed.
func TestKilledDuringClaimsNothingIsLentTwiceOrLost(t *testing.T) {
	const claims, most = 8, 24
	for _, equipped := range []bool{false, true} {
		for answers := range 3 {
			t.Run(fmt.Sprintf("equipped %t, after %d answers", equipped, answers), func(t *testing.T) {
				s := start(t, "")
				require.NoError(t, keepPool(t, s, http.MethodPost, 4, most))
				poolFilled(t, s, 4)
				ask := fromPool(func(r *edge.CreateRequest) {
					if equipped {
						r.Env = map[string]string{"CLAIM": "1"}
					}
				})
				answered := make(chan string, claims)
				var work sync.WaitGroup
				for range claims {
					work.Go(func() {
						if sandbox, err := s.Create(t.Context(), ask); err == nil {
							answered <- sandbox.ID
						}
					})
				}
				owned := map[string]bool{}
				for range answers {
					owned[<-answered] = true
				}
				s.Kill()
				<-s.Ended()
				work.Wait()
				close(answered)
				for id := range answered {
					require.False(t, owned[id], "lent twice")
					owned[id] = true
				}
				require.NoError(t, s.Start(t.Context()))
				poolFilled(t, s, 4)

				listed, err := s.List(t.Context(), nil)
				require.NoError(t, err)
				known := map[string]bool{}
				for _, sandbox := range listed {
					known[sandbox.ID] = true
				}
				for id := range owned {
					require.True(t, known[id], "an answered claim is lost")
				}
				require.Len(t, listed, poolOf(t, s).Allocated)
				for range 4 {
					sandbox, err := s.Create(t.Context(), fromPool())
					require.NoError(t, err)
					require.False(t, known[sandbox.ID], "lent twice")
					known[sandbox.ID] = true
				}
			})
		}
	}
}

// The server is killed around the engine calls that make a member.
func TestKilledWhileAPoolFillsNothingIsOrphaned(t *testing.T) {
	for name, at := range map[string]moment{
		"before the container is made": {enginetest.CreateContainer, 1, false},
		"after the container is made":  {enginetest.CreateContainer, 1, true},
		"after the container started":  {enginetest.StartContainer, 1, true},
		"after the address was read":   {enginetest.InspectContainer, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, proxy := behindProxy(t)
			// What the server asks the engine for itself is over before its calls are counted.
			first, _ := create(t, s, request(s))
			eventually(t, func() error {
				if auxiliaries, err := s.Auxiliaries(t.Context()); err != nil || len(auxiliaries) > 0 {
					return fmt.Errorf("auxiliaries %v, %w", auxiliaries, errors.Join(err, errNotYet))
				}
				return nil
			})
			require.NoError(t, s.Delete(t.Context(), first.ID))
			require.NoError(t, keepPool(t, s, http.MethodPost, 0, 3))
			proxy.Fault(at.fault(s))
			_ = keepPool(t, s, http.MethodPut, 1, 3) // its answer may be lost with the server
			<-s.Ended()
			proxy.Release()
			require.NoError(t, s.Start(t.Context()))
			poolFilled(t, s, 1)
			sandbox, _ := create(t, s, fromPool())
			require.NoError(t, keepPool(t, s, http.MethodPut, 0, 3))
			requireConsistent(t, s, sandbox.ID)
		})
	}
}
