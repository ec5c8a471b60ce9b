package ingress_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// waiting is an edge whose requests wait.
type waiting struct {
	*edge
	reg *prometheus.Registry
}

func newWaiting(t *testing.T, resume func(*waiting) ingress.Resume, changes ...change) *waiting {
	t.Helper()
	w := &waiting{reg: prometheus.NewRegistry()}
	metrics, err := ingress.NewMetrics(w.reg)
	require.NoError(t, err)
	var room *ingress.Waiting
	w.edge = newEdge(t, append([]change{func(o *ingress.Options) {
		o.Metrics, o.Wait, o.MaxWaiting = metrics, eventually, 8
		var r ingress.Resume
		if resume != nil {
			r, o.AutoResume = resume(w), true
		}
		room = ingress.NewWaiting(&o.Directory.(*directory).Directory, r, metrics)
		o.Waiting = room
	}}, changes...)...)
	t.Cleanup(room.Close)
	return w
}

func (w *waiting) put(t *testing.T, state lifecycle.State) {
	t.Helper()
	_, err := w.Publish(lifecycle.Entry{ID: id, State: state})
	require.NoError(t, err)
}

// held waits until n requests wait.
func (w *waiting) held(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return w.metric(t, "opensandbox_proxy_waiting") == float64(n) }, eventually, tick)
}

// waits is how often waiting had this outcome.
func (w *waiting) waits(t *testing.T, outcome string) float64 {
	return w.metric(t, "opensandbox_proxy_waits_total", outcome)
}

func (w *waiting) metric(t *testing.T, name string, label ...string) float64 {
	t.Helper()
	families, err := w.reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if len(label) == 0 {
				return m.GetGauge().GetValue()
			}
			if m.GetLabel()[0].GetValue() == label[0] {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

type answer struct {
	status     int
	body       string
	retryAfter string
	err        error
}

// send sends in the background; the answer comes once.
func (w *waiting) send(r *http.Request) <-chan answer {
	out := make(chan answer, 1)
	go func() {
		res, err := w.client.Transport.RoundTrip(r)
		if err != nil {
			out <- answer{err: err}
			return
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		out <- answer{res.StatusCode, string(body), res.Header.Get("Retry-After"), err}
	}()
	return out
}

func answerBody(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }

func TestARequestWaitsForASandboxOnItsWay(t *testing.T) {
	for _, state := range []lifecycle.State{lifecycle.Pending, lifecycle.Resuming, lifecycle.Unknown, lifecycle.Running} {
		for _, f := range forms("8080") {
			t.Run(string(state)+" "+f.name, func(t *testing.T) {
				w := newWaiting(t, nil)
				w.put(t, state)
				got := w.send(f.request(t, w.edge, "POST", "/a", strings.NewReader("hello")))
				w.held(t, 1)
				require.Zero(t, w.touches.Load(), "waiting is no access (threat row A7)")
				w.sandbox(t, id, answerBody, 8080)
				a := <-got
				require.NoError(t, a.err)
				require.Equal(t, http.StatusOK, a.status)
				require.Equal(t, "hello", a.body)
				w.held(t, 0)
				require.NotZero(t, w.touches.Load())
				require.EqualValues(t, 1, w.waits(t, "ready"))
			})
		}
	}
}

func TestWaitingEndsWhenTheSandboxDoes(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(*testing.T, *waiting)
		status  int
		outcome string
	}{
		"failed":  {func(t *testing.T, w *waiting) { w.put(t, lifecycle.Failed) }, 409, "ended"},
		"paused":  {func(t *testing.T, w *waiting) { w.put(t, lifecycle.Paused) }, 409, "ended"},
		"deleted": {func(_ *testing.T, w *waiting) { w.Remove(id, lifecycle.ErrGone) }, 404, "refused"},
		"no such port": {func(t *testing.T, w *waiting) {
			w.sandbox(t, id, answerBody, 9090)
		}, 503, "ended"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWaiting(t, nil, func(o *ingress.Options) { o.Wait = time.Hour })
			w.put(t, lifecycle.Pending)
			got := w.send(direct("8080").request(t, w.edge, "GET", "/", nil))
			w.held(t, 1)
			w.put(t, lifecycle.Resuming) // a change, and still not ready
			c.happens(t, w)
			a := <-got
			require.NoError(t, a.err)
			require.Equal(t, c.status, a.status, a.body)
			require.EqualValues(t, 1, w.waits(t, c.outcome))
			require.Zero(t, w.touches.Load())
		})
	}
}

// What was true when the waiting began does not count at its end.
func TestAccessIsCheckedAnewAfterWaiting(t *testing.T) {
	w := newWaiting(t, nil, func(o *ingress.Options) { o.Wait = time.Hour })
	w.put(t, lifecycle.Pending) // no token yet
	got := w.send(direct("44772").request(t, w.edge, "GET", "/command", nil))
	w.held(t, 1)
	reached := atomic.Bool{}
	s := w.sandbox(t, "elsewhere", func(http.ResponseWriter, *http.Request) { reached.Store(true) }, 44772)
	w.publish(t, lifecycle.Entry{ID: id, State: lifecycle.Running, ExecdTokenSum: tokenSum("t")}, s.Listener.Addr(), 44772)
	a := <-got
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.Equal(t, ingress.CodeMissingExecdToken, code(t, a.body))
	require.False(t, reached.Load())
	require.EqualValues(t, 1, w.waits(t, "refused"))
	require.Zero(t, w.touches.Load())
}

func TestNobodyWaitsWithoutAccess(t *testing.T) {
	resumes := atomic.Int64{}
	w := newWaiting(t, func(*waiting) ingress.Resume {
		return func(context.Context, string) error { resumes.Add(1); return nil }
	}, func(o *ingress.Options) { o.Wait = time.Hour })
	for _, state := range []lifecycle.State{lifecycle.Pending, lifecycle.Paused} {
		_, err := w.Publish(lifecycle.Entry{ID: id, State: state, ExecdTokenSum: tokenSum("t")})
		require.NoError(t, err)
		for _, f := range forms("44772") {
			r := f.request(t, w.edge, "GET", "/command", nil)
			r.Header.Set("X-EXECD-ACCESS-TOKEN", "wrong")
			res, _ := w.do(t, r) // it would take an hour
			require.NotEqual(t, http.StatusOK, res.StatusCode)
		}
	}
	require.Zero(t, resumes.Load())
	require.Zero(t, w.touches.Load())
	for _, outcome := range []string{"ready", "timeout", "full", "refused"} {
		require.Zero(t, w.waits(t, outcome), outcome)
	}
}

// With hide_existence a stranger must not learn from a delay that a sandbox is starting.
func TestHiddenSandboxesHoldNobodyWithoutACredential(t *testing.T) {
	w := newWaiting(t, nil, func(o *ingress.Options) { o.Wait, o.HideExistence = time.Hour, true })
	w.put(t, lifecycle.Pending)
	for _, f := range forms("8080") {
		res, _ := w.do(t, f.request(t, w.edge, "GET", "/", nil)) // it would take an hour
		require.Equal(t, http.StatusNotFound, res.StatusCode, f.name)
	}
}

// A ping needs no token, so it must not hold or wake a sandbox.
func TestPingsOfStrangersDoNotWait(t *testing.T) {
	w := newWaiting(t, nil, func(o *ingress.Options) { o.Wait = time.Hour })
	w.put(t, lifecycle.Pending)
	for _, f := range forms("44772") {
		res, _ := w.do(t, f.request(t, w.edge, "GET", "/ping", nil)) // it would take an hour
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, f.name)
	}
}

func TestWaitingIsBoundedInTime(t *testing.T) {
	w := newWaiting(t, nil, func(o *ingress.Options) { o.Wait = 20 * time.Millisecond })
	w.put(t, lifecycle.Pending)
	a := <-w.send(direct("8080").request(t, w.edge, "GET", "/", nil))
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Equal(t, "DOCKER::SANDBOX_NOT_READY", code(t, a.body))
	require.NotEmpty(t, a.retryAfter)
	require.EqualValues(t, 1, w.waits(t, "timeout"))
	w.held(t, 0)
}

func TestOneSandboxGetsAQuarterOfTheRoom(t *testing.T) {
	w := newWaiting(t, nil, func(o *ingress.Options) { o.Wait = time.Hour })
	w.put(t, lifecycle.Pending)
	_, err := w.Publish(lifecycle.Entry{ID: "other", State: lifecycle.Pending})
	require.NoError(t, err)
	var held []<-chan answer
	for range 2 { // of 8
		held = append(held, w.send(direct("8080").request(t, w.edge, "GET", "/", nil)))
	}
	w.held(t, 2)
	a := <-w.send(direct("8080").request(t, w.edge, "GET", "/", nil))
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.NotEmpty(t, a.retryAfter)
	require.EqualValues(t, 1, w.waits(t, "full"))

	other := form{host: host, prefix: "/sandboxes/other/proxy/8080"}
	held = append(held, w.send(other.request(t, w.edge, "GET", "/", nil)))
	w.held(t, 3)
	w.sandbox(t, id, answerBody, 8080)
	w.sandbox(t, "other", answerBody, 8080)
	for _, one := range held {
		require.Equal(t, http.StatusOK, (<-one).status)
	}
	w.held(t, 0)
}

func TestAClientThatLeavesFreesItsSeat(t *testing.T) {
	w := newWaiting(t, nil, func(o *ingress.Options) { o.Wait = time.Hour })
	w.put(t, lifecycle.Pending)
	ctx, leave := context.WithCancel(t.Context())
	got := w.send(direct("8080").request(t, w.edge, "GET", "/", nil).WithContext(ctx))
	w.held(t, 1)
	leave()
	require.ErrorIs(t, (<-got).err, context.Canceled)
	w.held(t, 0)
	require.Eventually(t, func() bool { return w.waits(t, "left") == 1 }, eventually, tick)
}

func TestAPausedSandboxIsResumedOnce(t *testing.T) {
	var resumes atomic.Int64
	began, release := make(chan struct{}, 8), make(chan struct{})
	w := newWaiting(t, func(w *waiting) ingress.Resume {
		return func(ctx context.Context, resumed string) error {
			resumes.Add(1)
			began <- struct{}{}
			<-release
			if resumed != id {
				return errors.New("another sandbox")
			}
			w.sandbox(t, id, answerBody, 8080)
			return nil
		}
	}, func(o *ingress.Options) { o.Wait = time.Hour })
	w.put(t, lifecycle.Paused)
	var held []<-chan answer
	for range 2 {
		held = append(held, w.send(direct("8080").request(t, w.edge, "POST", "/", strings.NewReader("hi"))))
	}
	<-began
	w.held(t, 2)
	close(release)
	for _, one := range held {
		a := <-one
		require.Equal(t, http.StatusOK, a.status, a.body)
		require.Equal(t, "hi", a.body)
	}
	require.EqualValues(t, 1, resumes.Load())
}

func TestAResumeThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		err     error
		wait    time.Duration
		status  int
		code    string
		outcome string
	}{
		"the backend":   {errors.New("engine down"), time.Hour, 503, "DOCKER::SANDBOX_RESUME_FAILED", "resume_failed"},
		"already awake": {apierror.New(409, "DOCKER::SANDBOX_NOT_PAUSED", "It runs."), 200 * time.Millisecond, 409, "DOCKER::SANDBOX_NOT_RUNNING", "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWaiting(t, func(*waiting) ingress.Resume {
				return func(context.Context, string) error { return c.err }
			}, func(o *ingress.Options) { o.Wait = c.wait })
			w.put(t, lifecycle.Paused)
			a := <-w.send(direct("8080").request(t, w.edge, "GET", "/", nil))
			require.Equal(t, c.status, a.status, a.body)
			require.Equal(t, c.code, code(t, a.body))
			require.NotContains(t, a.body, "engine down")
			require.NotEmpty(t, a.retryAfter)
			require.EqualValues(t, 1, w.waits(t, c.outcome))
		})
	}
}

func TestWithoutAutoResumeAPausedSandboxStaysPaused(t *testing.T) {
	w := newWaiting(t, func(*waiting) ingress.Resume {
		return func(context.Context, string) error { t.Error("resumed"); return nil }
	}, func(o *ingress.Options) { o.AutoResume = false })
	w.put(t, lifecycle.Paused)
	res, _ := w.do(t, direct("8080").request(t, w.edge, "GET", "/", nil))
	require.Equal(t, http.StatusConflict, res.StatusCode)
}

func TestAProbeWakesNobody(t *testing.T) {
	var resumes atomic.Int64
	w := newWaiting(t, func(w *waiting) ingress.Resume {
		return func(context.Context, string) error {
			resumes.Add(1)
			w.sandbox(t, id, answerBody, 8080)
			return nil
		}
	})
	probe := func(value string) *http.Request {
		r := direct("8080").request(t, w.edge, "GET", "/", nil)
		r.Header.Set("OpenSandbox-Access-Renew", value)
		return r
	}
	for _, state := range []lifecycle.State{lifecycle.Paused, lifecycle.Pausing} {
		w.put(t, state)
		a := <-w.send(probe("skip"))
		require.Equal(t, http.StatusConflict, a.status)
		require.Equal(t, "DOCKER::SANDBOX_NOT_RUNNING", code(t, a.body))
	}
	require.Zero(t, resumes.Load())

	w.put(t, lifecycle.Pending) // it comes without the probe's doing
	got := w.send(probe("skip"))
	w.held(t, 1)
	w.put(t, lifecycle.Paused)
	require.Equal(t, http.StatusConflict, (<-got).status, "nor later")
	require.Zero(t, resumes.Load())

	w.put(t, lifecycle.Pending)
	got = w.send(probe("skip"))
	w.held(t, 1)
	w.sandbox(t, id, answerBody, 8080)
	require.Equal(t, http.StatusOK, (<-got).status)

	w.put(t, lifecycle.Paused)
	require.Equal(t, http.StatusOK, (<-w.send(probe("Skip"))).status, "any other value is an access")
	require.EqualValues(t, 1, resumes.Load())
}

func TestCloseSendsWaitingRequestsAway(t *testing.T) {
	var room *ingress.Waiting
	w := newWaiting(t, nil, func(o *ingress.Options) { o.Wait, room = time.Hour, o.Waiting })
	w.put(t, lifecycle.Pending)
	got := w.send(direct("8080").request(t, w.edge, "GET", "/", nil))
	w.held(t, 1)
	room.Close()
	require.Equal(t, http.StatusServiceUnavailable, (<-got).status)
	require.Equal(t, http.StatusServiceUnavailable, (<-w.send(direct("8080").request(t, w.edge, "GET", "/", nil))).status)
	w.held(t, 0)
}
