package feed_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/feed"
)

// deafClient follows a server, and has heard nothing for too long while questions are
// still answered.
func deafClient(t *testing.T, c *control) *feed.Client {
	t.Helper()
	var first atomic.Bool
	inner := c.handler
	c.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == feed.Path && first.Swap(true) {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		inner.ServeHTTP(w, r)
	})
	c.kill()
	c.listen(t, c.address)
	g := newClient(t, "http://"+c.address, func(o *feed.ClientOptions) { o.WithStaleAfter(30 * time.Millisecond) })
	ready(t, g)
	c.feed.Close()
	soon(t, "nothing heard for long", func() bool { return g.Ready().Components["control"] != "ok" })
	return g
}

func TestAHealthyFeedConfirmsInMemory(t *testing.T) {
	c := newControl(t)
	c.put(t, "a", "10.0.0.1")
	g := newClient(t, "http://"+c.address)
	ready(t, g)
	a := lookup(t, g, "a")
	for range 100 {
		require.NoError(t, g.Confirm(t.Context(), a))
	}
	require.Zero(t, c.confirms.Load())
	c.Remove("a", lifecycle.ErrGone)
	soon(t, "the removal", func() bool { return errors.Is(g.Confirm(t.Context(), a), lifecycle.ErrStale) })
}

func TestADeafGatewayAsksOnceForAllCallers(t *testing.T) {
	c := newControl(t)
	c.put(t, "a", "10.0.0.1")
	release := make(chan struct{})
	c.confirm = func(*lifecycle.Entry) error { <-release; return nil }
	g := deafClient(t, c)
	a := lookup(t, g, "a")
	got := make(chan error, 1)
	go func() { got <- g.Confirm(t.Context(), a) }()
	soon(t, "the question", func() bool { return c.confirms.Load() == 1 })
	gone, leave := context.WithCancel(t.Context())
	leave()
	for range 20 { // each joins the question before it leaves
		require.ErrorIs(t, g.Confirm(gone, a), context.Canceled)
	}
	close(release)
	require.NoError(t, <-got)
	require.EqualValues(t, 1, c.confirms.Load())
	require.NoError(t, a.Ended())
}

func TestADeafGatewayBelievesTheAnswer(t *testing.T) {
	for name, happens := range map[string]func(*testing.T, *control){
		"another address": func(t *testing.T, c *control) { c.put(t, "a", "10.0.0.9") },
		"paused":          func(_ *testing.T, c *control) { _, _ = c.Publish(lifecycle.Entry{ID: "a", State: lifecycle.Paused}) },
		"gone":            func(_ *testing.T, c *control) { c.Remove("a", lifecycle.ErrGone) },
		"stale there, then gone": func(_ *testing.T, c *control) {
			c.confirm = func(*lifecycle.Entry) error { c.Remove("a", lifecycle.ErrGone); return lifecycle.ErrStale }
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newControl(t)
			c.put(t, "a", "10.0.0.1")
			g := deafClient(t, c)
			a := lookup(t, g, "a")
			happens(t, c)
			require.ErrorIs(t, g.Confirm(t.Context(), a), lifecycle.ErrStale)
			require.Error(t, a.Ended(), "its connections end")
			now, ok := g.Directory().Lookup("a")
			if want, exists := c.Lookup("a"); exists {
				require.Equal(t, want.Address, now.Address)
			} else {
				require.False(t, ok)
			}
		})
	}
}

// What cannot be confirmed is not dialled (threat row K9).
func TestAServerThatDoesNotAnswerConfirmsNothing(t *testing.T) {
	for name, silence := range map[string]func(*control){
		"gone":              func(c *control) { c.kill() },
		"backend is silent": func(c *control) { c.confirm = func(*lifecycle.Entry) error { return errSilent } },
	} {
		t.Run(name, func(t *testing.T) {
			c := newControl(t)
			c.put(t, "a", "10.0.0.1")
			g := deafClient(t, c)
			a := lookup(t, g, "a")
			silence(c)
			err := g.Confirm(t.Context(), a)
			var answer *apierror.Error
			require.ErrorAs(t, err, &answer)
			require.Equal(t, 503, answer.Status)
			require.Equal(t, "KUBERNETES::SANDBOX_QUERY_FAILED", answer.Code)
			require.NotZero(t, answer.RetryAfter)
			require.NoError(t, a.Ended(), "streams that are open go on")
		})
	}
}

func TestConfirmEndsWithItsCaller(t *testing.T) {
	c := newControl(t)
	c.put(t, "a", "10.0.0.1")
	release := make(chan struct{})
	defer close(release)
	c.confirm = func(*lifecycle.Entry) error { <-release; return nil }
	g := deafClient(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, g.Confirm(ctx, lookup(t, g, "a")), context.Canceled)
}

func TestResumeAsksTheServer(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		want   int // of the error; 0 = none, 1 = another kind
	}{
		{202, "", 0},
		{409, `{"code":"DOCKER::SANDBOX_NOT_PAUSED","message":"x"}`, 409},
		{404, `{"code":"DOCKER::SANDBOX_NOT_FOUND","message":"x"}`, 404},
		{404, `{"code":"GENERAL::NOT_FOUND","message":"x"}`, 1},
		{401, `{"code":"INVALID_API_KEY","message":"x"}`, 1},
		{307, "", 1},
		{500, "", 1},
	} {
		var asked atomic.Pointer[http.Request]
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked.Store(r.Clone(context.Background()))
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(row.status)
			_, _ = w.Write([]byte(row.body))
		}))
		g := newClient(t, s.URL)
		err := g.Resume(t.Context(), "a")
		g.Close()
		s.Close()
		var answer *apierror.Error
		switch {
		case row.want == 0:
			require.NoError(t, err)
		case row.want == 1:
			require.Error(t, err)
			require.False(t, errors.As(err, &answer), "%+v", row)
		default:
			require.ErrorAs(t, err, &answer)
			require.Equal(t, row.want, answer.Status)
		}
	}
}
