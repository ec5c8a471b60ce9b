package ingress

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/ingress/upstream"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// maxResume bounds one resume of a paused sandbox.
const maxResume = time.Minute

// Changes tells of one sandbox's change without polling; *lifecycle.Directory implements it.
type Changes interface {
	// Lookup finds the entry of id.
	Lookup(id string) (*lifecycle.Entry, bool)
	// Await returns when the entry of id is not the one given, or with the cause of ctx.
	Await(ctx context.Context, id string, not *lifecycle.Entry) error
}

// Resume thaws a paused sandbox; the directory tells when it runs. Errors with status 404
// or 409 mean that there is nothing to resume any more.
type Resume func(ctx context.Context, id string) error

// Waiting is where requests that were granted access wait for their sandbox to be ready.
// It outlives handlers, so that the bounds count over reloads. It is safe for concurrent use.
type Waiting struct {
	changes Changes
	resume  Resume // nil = this process cannot
	metrics *Metrics

	ctx  context.Context
	stop context.CancelCauseFunc
	wg   sync.WaitGroup // resumes

	mu       sync.Mutex
	total    int
	sandbox  map[string]int // requests that wait, by sandbox
	resuming map[string]context.Context
	closed   bool
}

// errResumed ends the context of a resume that did not fail.
var errResumed = errors.New("resumed")

// NewWaiting makes an empty waiting room; resume and metrics may be nil.
func NewWaiting(changes Changes, resume Resume, metrics *Metrics) *Waiting {
	if metrics == nil {
		metrics = newMetrics()
	}
	w := &Waiting{
		changes: changes, resume: resume, metrics: metrics,
		sandbox: make(map[string]int), resuming: make(map[string]context.Context),
	}
	w.ctx, w.stop = context.WithCancelCause(context.Background())
	return w
}

// Close sends waiting requests away and waits for resumes in progress to end.
func (w *Waiting) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.stop(upstream.ErrClosed)
	w.wg.Wait()
}

// seat admits one more request; most counts over all sandboxes, and a quarter of it
// for each, so that one sandbox cannot keep the others' requests out.
func (w *Waiting) seat(id string, most int) (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.total >= most || w.sandbox[id] >= max(most/4, 1) {
		return nil, false
	}
	w.total++
	w.sandbox[id]++
	w.metrics.waiting.Inc()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.metrics.waiting.Dec()
		w.total--
		if w.sandbox[id]--; w.sandbox[id] == 0 {
			delete(w.sandbox, id)
		}
	}, true
}

// resumed starts the resume of a paused sandbox, or joins the one in progress. The context
// ends with it, with the cause errResumed or what went wrong. It is nobody's request's
// work: it goes on when the client leaves. The context is nil when the sandbox is not what
// it was any more: somebody's resume has ended meanwhile.
func (w *Waiting) resumed(paused *lifecycle.Entry) context.Context {
	id := paused.ID
	w.mu.Lock()
	defer w.mu.Unlock()
	if running, ok := w.resuming[id]; ok {
		return running
	}
	if now, _ := w.changes.Lookup(id); now != paused {
		return nil
	}
	ctx, end := context.WithCancelCause(context.Background())
	if w.closed {
		end(upstream.ErrClosed)
		return ctx
	}
	w.resuming[id] = ctx
	w.wg.Go(func() {
		bounded, cancel := context.WithTimeout(w.ctx, maxResume)
		defer cancel()
		err := w.resume(bounded, id)
		var answer *apierror.Error
		if err == nil || errors.As(err, &answer) && (answer.Status == http.StatusConflict || answer.Status == http.StatusNotFound) {
			err = errResumed
		}
		w.mu.Lock()
		delete(w.resuming, id)
		w.mu.Unlock()
		end(err)
	})
	return ctx
}

// The outcomes of waiting: ready; refused (access is decided anew); ended, the sandbox
// takes no more requests; timeout; full, there was no room; left, the client did;
// resume_failed.
func (m *Metrics) waited(outcome string) { m.waits.WithLabelValues(outcome).Inc() }
