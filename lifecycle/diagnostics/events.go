package diagnostics

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Events reports what happened to the sandbox: the newest events of each source, at most
// limit of them.
func (r *Reporter) Events(ctx context.Context, id string, scope Scope, limit int) (Report, error) {
	switch scope {
	case ScopeRuntime:
		return r.runtimeEvents(ctx, id, limit)
	case ScopeLifecycle:
		return r.lifecycleEvents(id, limit)
	}
	backend, err := r.runtimeEvents(ctx, id, limit)
	if err != nil {
		return Report{}, err
	}
	own, err := r.lifecycleEvents(id, limit)
	if err != nil {
		return Report{}, err
	}
	return Report{
		Text:      "Runtime:\n" + backend.Text + "\nLifecycle:\n" + own.Text,
		Truncated: backend.Truncated || own.Truncated,
		Warnings:  append(backend.Warnings, own.Warnings...),
	}, nil
}

func (r *Reporter) runtimeEvents(ctx context.Context, id string, limit int) (Report, error) {
	var h Happenings
	found, err := r.ask(ctx, id, func(ctx context.Context) (err error) {
		h, err = r.backend.Happenings(ctx, id)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	var out Report
	var b strings.Builder
	if !found {
		out.Warnings = []string{gap}
	}
	writeFields(&b, "", h.Head)
	h.Events, out.Truncated = last(h.Events, limit)
	writeEvents(&b, h.Events)
	if len(h.Events) == 0 {
		b.WriteString("(no notable events)\n")
	}
	out.Text = b.String()
	return out, nil
}

func (r *Reporter) lifecycleEvents(id string, limit int) (Report, error) {
	h, err := r.sandboxes.History(id)
	if err != nil {
		return Report{}, err
	}
	var out Report
	if !h.Complete {
		out.Warnings = []string{beginning(h)}
	}
	events := make([]Event, 0, len(h.Occurrences))
	for _, o := range h.Occurrences {
		e := Event{At: o.At, Warning: o.Warning, Reason: o.Reason, Message: o.Message}
		if o.Times > 1 {
			e.Message = fmt.Sprintf("%s (%d times)", o.Message, o.Times)
		}
		events = append(events, e)
	}
	events, out.Truncated = last(events, limit)
	var b strings.Builder
	writeEvents(&b, events)
	if len(events) == 0 {
		b.WriteString("(no events)\n")
	}
	out.Text = b.String()
	return out, nil
}

// beginning says since when the server remembers.
func beginning(h lifecycle.History) string {
	const reason = "The server keeps lifecycle events in memory, a bounded number of them and only while it runs."
	if len(h.Occurrences) == 0 {
		return reason + " It knows none of this sandbox."
	}
	return reason + " What happened before " + h.Occurrences[0].At.UTC().Format(time.RFC3339) + " is not known."
}

// last keeps the newest n events; cut tells whether there were more.
func last(events []Event, n int) (kept []Event, cut bool) {
	if len(events) <= n {
		return events, false
	}
	return events[len(events)-n:], true
}
