package diagnostics

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
)

// Summary is everything at once, as one page of text (contract 01 §14.2). An answer that is
// the client's to have, such as an unknown sandbox, is returned; a part that the server
// failed to collect is one line.
func (r *Reporter) Summary(ctx context.Context, id string, lines, events int) (string, error) {
	var b strings.Builder
	banner := strings.Repeat("=", 72)
	fmt.Fprintf(&b, "%s\nSANDBOX DIAGNOSTICS SUMMARY\nSandbox ID: %s\n%s\n", banner, apierror.Clip(id), banner)
	for _, part := range []struct {
		title, name, empty string
		collect            func() (Report, error)
	}{
		{"INSPECT", "inspect", "", func() (Report, error) { return r.Inspect(ctx, id) }},
		{"EVENTS", "events", "", func() (Report, error) { return r.Events(ctx, id, ScopeRuntime, events) }},
		{fmt.Sprintf("LOGS (last %d lines)", lines), "logs", NoLogs, func() (Report, error) { return r.Logs(ctx, id, lines, time.Time{}) }},
	} {
		text := ""
		report, err := part.collect()
		switch {
		case err == nil:
			text = report.Plain(part.empty)
		case ctx.Err() != nil, apierror.From(err).Status < http.StatusInternalServerError:
			return "", err
		default:
			r.log.LogAttrs(ctx, slog.LevelError, "could not collect a part of a summary",
				slog.String("sandbox", id), slog.String("part", part.name), slog.Any("error", err))
			text = fmt.Sprintf("[error] Failed to collect %s diagnostics.\n", part.name)
		}
		rule := strings.Repeat("-", 40)
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n%s", rule, part.title, rule, text)
	}
	return b.String(), nil
}

// NoLogs stands in a page of text for logs that are empty.
const NoLogs = "(no logs)\n"

// Plain is the report as a page of text: empty stands for no text, and warnings are lines
// of their own.
func (r Report) Plain(empty string) string {
	text := r.Text
	if text == "" {
		text = empty
	}
	for _, w := range r.Warnings {
		text += "(" + w + ")\n"
	}
	return text
}
