//go:build docker

package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/test/edge"
)

const wakeful = "[ingress]\nauto_resume = true\n"

// TestARequestWaitsForASandboxThatResumes holds the engine's answer back, so that the
// request arrives in the middle.
func TestARequestWaitsForASandboxThatResumes(t *testing.T) {
	s, proxy := behindProxy(t)
	sandbox, token := create(t, s, request(s))
	require.NoError(t, s.Call(t.Context(), "POST", "/v1/sandboxes/"+sandbox.ID+"/pause", nil, nil))
	route := s.Route(edge.URI, sandbox.ID, 44772, token)
	defer route.Close()
	_, err := route.Command(t.Context(), "true")
	require.ErrorContains(t, err, "409", "nobody has asked for a resume")

	reached := make(chan struct{})
	proxy.Fault(enginetest.Fault{
		Match: enginetest.On("POST", "/containers/[^/]+/unpause"), Nth: 1, Do: enginetest.Hold,
		Before: func(enginetest.Request) { close(reached) },
	})
	var work sync.WaitGroup
	work.Go(func() {
		if err := s.Call(t.Context(), "POST", "/v1/sandboxes/"+sandbox.ID+"/resume", nil, nil); err != nil {
			t.Error(err)
		}
	})
	<-reached
	for _, form := range edge.Forms {
		work.Go(func() {
			route := s.Route(form, sandbox.ID, 44772, token)
			defer route.Close()
			if out, err := route.Command(t.Context(), "echo awake"); err != nil || out != "awake\n" {
				t.Error(form, out, err)
			}
		})
	}
	refused := s.Route(edge.URI, sandbox.ID, 44772, "wrong")
	defer refused.Close()
	status, _, err := refused.Read(t.Context(), http.MethodPost, "/command", nil, "")
	require.NoError(t, err)
	require.NotEqual(t, http.StatusOK, status, "at once, and without waiting")
	proxy.Release()
	work.Wait()
}

// TestARequestWakesAPausedSandbox, through the lifecycle server and through a gateway.
func TestARequestWakesAPausedSandbox(t *testing.T) {
	s := start(t, "")
	edit(t, s, "[ingress]", wakeful)
	require.NoError(t, s.Stop())
	require.NoError(t, s.Start(t.Context()))
	sandbox, token := create(t, s, request(s))
	g := gateway(t, s, "")
	edit(t, g, "[ingress]", wakeful)
	g.Kill()
	require.NoError(t, g.Start(t.Context()))
	synced(t, g)
	for name, through := range map[string]*edge.Server{"the lifecycle server": s, "a gateway": g} {
		require.NoError(t, s.Call(t.Context(), "POST", "/v1/sandboxes/"+sandbox.ID+"/pause", nil, nil))
		eventually(t, func() error { // the gateway hears of the pause a moment later
			refused := through.Route(edge.URI, sandbox.ID, 44772, "wrong")
			defer refused.Close()
			status, body, err := refused.Read(t.Context(), http.MethodPost, "/command", nil, "")
			if err == nil && status != http.StatusConflict {
				err = fmt.Errorf("%d %s", status, body)
			}
			return err
		})
		requireState(t, s, sandbox.ID, "Paused") // whoever has no access wakes nobody
		var work sync.WaitGroup
		for range 8 {
			work.Go(func() {
				route := through.Route(edge.URI, sandbox.ID, 44772, token)
				defer route.Close()
				if out, err := route.Command(t.Context(), "echo awake"); err != nil || out != "awake\n" {
					t.Error(name, out, err)
				}
			})
		}
		work.Wait()
		requireState(t, s, sandbox.ID, "Running")
	}
}
