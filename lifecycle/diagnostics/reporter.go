package diagnostics

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

const (
	// maxBytes bounds the text of one report.
	maxBytes = 1 << 20
	// maxReports bounds the reports made at the same time, and with them the memory and the
	// backend's work that logs cost.
	maxReports = 8
	// maxWait bounds one report.
	maxWait = 30 * time.Second
)

// Sandboxes is what a Reporter needs of *lifecycle.Service.
type Sandboxes interface {
	Get(ctx context.Context, id string) (lifecycle.Sandbox, error)
	History(id string) (lifecycle.History, error)
	ExecdToken(id string) secret.Text
	AccessToken(id string) secret.Text
}

// Reporter makes reports. It is safe for concurrent use. An unknown sandbox is the 404 of
// Sandboxes; other errors are *apierror.Error or come from the context.
type Reporter struct {
	sandboxes Sandboxes
	backend   Diagnoser
	log       *slog.Logger
	turns     chan struct{}
}

// New makes a Reporter.
func New(s Sandboxes, d Diagnoser, log *slog.Logger) *Reporter {
	return &Reporter{sandboxes: s, backend: d, log: log, turns: make(chan struct{}, maxReports)}
}

// Report is text for people: valid UTF-8, lines that end in a line feed.
type Report struct {
	Text      string
	Truncated bool     // Text is not everything that was asked for
	Warnings  []string // what else is missing, and why
}

// gap is what a report says in the place of what the backend does not have.
const gap = "The backend has no object for the sandbox at this moment."

// ask gives a backend's question its turn and its time. The sandbox has to be known before,
// so the id is one of ours. found is false when it is known and the backend has nothing of it.
func (r *Reporter) ask(ctx context.Context, id string, question func(context.Context) error) (found bool, err error) {
	if _, err := r.sandboxes.Get(ctx, id); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case r.turns <- struct{}{}:
	case <-ctx.Done():
		return false, busy(ctx)
	}
	defer func() { <-r.turns }()
	switch err := question(ctx); {
	case err == nil:
		return true, nil
	case errors.Is(err, lifecycle.ErrNotFound):
		_, err := r.sandboxes.Get(ctx, id) // it may be gone by now
		return false, err
	default:
		return false, err
	}
}

func busy(ctx context.Context) error {
	return apierror.New(http.StatusServiceUnavailable, apierror.Unknown,
		"Too many diagnostics are collected at the same time. Try again.").Because(context.Cause(ctx)).Retry(1)
}

// Logs reports what the sandbox wrote: the newest lines, at most that many, of those since
// a time. The zero time stands for all.
func (r *Reporter) Logs(ctx context.Context, id string, lines int, since time.Time) (Report, error) {
	var logs Logs
	found, err := r.ask(ctx, id, func(ctx context.Context) (err error) {
		// One line more than wanted tells whether there are more.
		logs, err = r.backend.Logs(ctx, id, LogQuery{Lines: lines + 1, Since: since, Bytes: maxBytes})
		return err
	})
	switch {
	case err != nil:
		return Report{}, err
	case !found:
		logs.Gaps = append(logs.Gaps, gap)
	}
	text, more := newest(logs.Text, lines)
	shown, cut := fit(legible(r.withoutTokens(id, text)))
	return Report{Text: shown, Truncated: logs.Cut || more || cut, Warnings: logs.Gaps}, nil
}

// withoutTokens takes from a log the tokens that lead into the sandbox: a program that
// prints the requests it gets may have written them.
func (r *Reporter) withoutTokens(id string, text []byte) []byte {
	for _, token := range []secret.Text{r.sandboxes.ExecdToken(id), r.sandboxes.AccessToken(id)} {
		if !token.IsZero() {
			text = bytes.ReplaceAll(text, []byte(token.Reveal()), []byte("***"))
		}
	}
	return text
}

// fit keeps the newest lines that a report has room for.
func fit(text string) (shown string, cut bool) {
	if len(text) <= maxBytes {
		return text, false
	}
	text = text[len(text)-maxBytes:]
	_, whole, _ := strings.Cut(text, "\n")
	return whole, true
}

// Inspect reports how the sandbox's backend object looks.
func (r *Reporter) Inspect(ctx context.Context, id string) (Report, error) {
	var sections []Section
	found, err := r.ask(ctx, id, func(ctx context.Context) (err error) {
		sections, err = r.backend.Describe(ctx, id)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	if !found {
		return Report{Warnings: []string{gap}}, nil
	}
	var b strings.Builder
	writeSections(&b, sections)
	return Report{Text: b.String()}, nil
}
