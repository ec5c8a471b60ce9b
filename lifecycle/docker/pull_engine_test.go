//go:build docker

package docker

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/secret"
)

// absent is an image that is nowhere; its registry refuses connections.
func absent() string { return "127.0.0.1:1/absent/" + uuid.NewString() + ":v" }

func TestErrorsInsideAPullsStream(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	for body, want := range map[string]struct {
		status int
		code   string
		text   string
	}{
		`{"status":"Pulling"}` + "\n" + `{"errorDetail":{"message":"manifest unknown: secret-host"},"error":"manifest unknown"}`: {500, codePullFailed, "no such image"},
		`{"errorDetail":{"code":401,"message":"unauthorized"}}`:                                                                  {500, codePullFailed, "login"},
		`{"error":"no matching manifest for linux/arm64 in secret-host"}`:                                                        {400, codeInvalidParameter, "platform"},
		`{"status":"Download complete"}`:                                                                                         {500, codePullFailed, "no such image"}, // a success that is none
	} {
		// The engine's answer to the pull is made up; everything else is the real engine.
		proxy.Fault(enginetest.Fault{Match: enginetest.PullImage, Do: enginetest.Answer, Status: http.StatusOK, Body: body})
		s := spec(uuid.NewString())
		s.Image = absent()
		_, err := r.Create(t.Context(), s)
		typed := requireCode(t, err, want.status, want.code)
		require.Contains(t, typed.Message, want.text, body)
		require.NotContains(t, typed.Message, "secret-host")
		proxy.Release()
	}
	list, err := r.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestNetworkFailuresOfAPullAreRetried(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	proxy.Fault(enginetest.Fault{Match: enginetest.PullImage, Do: enginetest.Answer, Status: http.StatusInternalServerError, Body: `{"message":"dial tcp: i/o timeout"}`})
	s := spec(uuid.NewString())
	s.Image = absent()
	_, err := r.Create(t.Context(), s)
	requireCode(t, err, http.StatusInternalServerError, codePullFailed)
	require.Len(t, proxy.Requests(enginetest.PullImage), pullAttempts)
}

func TestOnePullServesAll(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	proxy.Fault(enginetest.Fault{Match: enginetest.PullImage, Do: enginetest.Hold})
	name := absent()
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			s := spec(uuid.NewString())
			s.Image = name
			_, err := r.Create(t.Context(), s)
			requireCode(t, err, http.StatusInternalServerError, codePullFailed)
		})
	}
	require.Eventually(t, func() bool {
		r.pulls.mu.Lock()
		defer r.pulls.mu.Unlock()
		for _, f := range r.pulls.flights {
			return f.waiters == 5
		}
		return false
	}, waitFor, time.Millisecond)
	// One flight, whose request may be on its way yet.
	require.Eventually(t, func() bool { return len(proxy.Requests(enginetest.PullImage)) > 0 }, waitFor, time.Millisecond)
	require.Len(t, proxy.Requests(enginetest.PullImage), 1)
	proxy.Release()
	wg.Wait()
}

func TestOtherCredentialsPullForThemselves(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	proxy.Fault(enginetest.Fault{Match: enginetest.PullImage, Do: enginetest.Hold})
	name := absent()
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			s := spec(uuid.NewString())
			s.Image = name
			s.ImageAuth = &lifecycle.RegistryAuth{Username: fmt.Sprint("user", i), Password: secret.New("p")}
			_, err := r.Create(t.Context(), s)
			requireCode(t, err, http.StatusInternalServerError, codePullFailed)
		})
	}
	require.Eventually(t, func() bool { return len(proxy.Requests(enginetest.PullImage)) == 2 }, waitFor, time.Millisecond)
	proxy.Release()
	wg.Wait()
}

func TestPullNobodyWaitsForIsCancelled(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	held := make(chan struct{})
	proxy.Fault(enginetest.Fault{Match: enginetest.PullImage, Nth: 1, Do: enginetest.Hold, Before: func(enginetest.Request) { close(held) }})
	ctx, cancel := context.WithCancel(t.Context())
	s := spec(uuid.NewString())
	s.Image = absent()
	ended := make(chan error, 1)
	go func() { _, err := r.Create(ctx, s); ended <- err }()
	<-held
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	r.background.Wait() // the download ends although its request is still held
}

func TestPullHasATimeout(t *testing.T) {
	proxy := enginetest.Start(t)
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	r.pulls.timeout = 100 * time.Millisecond
	proxy.Fault(enginetest.Fault{Match: enginetest.PullImage, Do: enginetest.Hold})
	s := spec(uuid.NewString())
	s.Image = absent()
	_, err := r.Create(t.Context(), s)
	typed := requireCode(t, err, http.StatusInternalServerError, codePullFailed)
	require.Contains(t, typed.Message, "too long")
}
