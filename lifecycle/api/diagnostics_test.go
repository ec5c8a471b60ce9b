package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/api"
	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
)

var _ api.Diagnostics = (*diagnostics.Reporter)(nil)

// reports answers with what it was asked for.
type reports struct {
	asked  []string
	since  time.Time
	report diagnostics.Report
	err    error
}

func (d *reports) note(format string, args ...any) {
	d.asked = append(d.asked, fmt.Sprintf(format, args...))
}

func (d *reports) Logs(_ context.Context, id string, lines int, since time.Time) (diagnostics.Report, error) {
	d.note("logs %s %d", id, lines)
	d.since = since
	return d.report, d.err
}

func (d *reports) Events(_ context.Context, id string, scope diagnostics.Scope, limit int) (diagnostics.Report, error) {
	d.note("events %s %s %d", id, scope, limit)
	return d.report, d.err
}

func (d *reports) Inspect(_ context.Context, id string) (diagnostics.Report, error) {
	d.note("inspect %s", id)
	return d.report, d.err
}

func (d *reports) Summary(_ context.Context, id string, lines, events int) (string, error) {
	d.note("summary %s %d %d", id, lines, events)
	return d.report.Text, d.err
}

func newReports(t *testing.T) (*edge, *reports) {
	d := &reports{report: diagnostics.Report{Text: "<b>text</b>\n"}}
	return newEdge(t, func(o *api.Options) { o.Diagnostics = d }), d
}

func TestDiagnosticsAsText(t *testing.T) {
	for path, want := range map[string]struct {
		asked      string
		deprecated string
	}{
		"logs":                               {"logs x 100", "true"},
		"logs?tail=1":                        {"logs x 1", "true"},
		"logs?tail=10000&limit=0":            {"logs x 10000", "true"},
		"events":                             {"events x runtime 50", "true"},
		"events?limit=500&tail=0":            {"events x runtime 500", "true"},
		"inspect?scope=all":                  {"inspect x", ""},
		"summary?scope=all":                  {"summary x 50 20", ""},
		"summary?tail=10000&event_limit=500": {"summary x 10000 500", ""},
	} {
		for _, mount := range []string{"", "/v1"} {
			e, d := newReports(t)
			w := e.do("GET", mount+"/sandboxes/x/diagnostics/"+path, "")
			require.Equal(t, 200, w.Code, w.Body.String())
			require.Equal(t, []string{want.asked}, d.asked)
			require.Equal(t, "<b>text</b>\n", w.Body.String())
			require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			require.Equal(t, want.deprecated, w.Header().Get("Deprecation"), path)
		}
	}
	e, d := newReports(t)
	d.report = diagnostics.Report{Warnings: []string{"There is a gap."}}
	require.Equal(t, "(no logs)\n(There is a gap.)\n", e.do("GET", "/sandboxes/x/diagnostics/logs", "").Body.String())
}

func TestDiagnosticsAsDescriptor(t *testing.T) {
	for path, want := range map[string]struct{ asked, kind, scope string }{
		"logs?scope=container":                {"logs x 10000", "logs", "container"},
		"logs?scope=all&tail=7":               {"logs x 7", "logs", "all"},
		"logs?scope=network&scope=all&tail=7": {"logs x 7", "logs", "all"},
		"events?scope=runtime":                {"events x runtime 500", "events", "runtime"},
		"events?scope=lifecycle&limit=3":      {"events x lifecycle 3", "events", "lifecycle"},
		"events?scope=all":                    {"events x all 500", "events", "all"},
	} {
		e, d := newReports(t)
		d.report = diagnostics.Report{Text: "größe <\n", Truncated: true, Warnings: []string{"a gap"}}
		w := e.do("GET", "/v1/sandboxes/x/diagnostics/"+path, "")
		require.Equal(t, 200, w.Code, w.Body.String())
		require.Equal(t, []string{want.asked}, d.asked)
		require.Empty(t, w.Header().Get("Deprecation"))
		require.JSONEq(t, `{"sandboxId":"x","kind":"`+want.kind+`","scope":"`+want.scope+`","delivery":"inline",
			"contentType":"text/plain; charset=utf-8","content":"größe <\n","contentLength":10,"truncated":true,"warnings":["a gap"]}`, w.Body.String())
	}
	e, d := newReports(t)
	d.report = diagnostics.Report{}
	var members map[string]any
	require.NoError(t, json.Unmarshal(e.do("GET", "/sandboxes/x/diagnostics/logs?scope=all", "").Body.Bytes(), &members))
	require.Contains(t, members, "content", "inline content is there, also when it is empty")
	require.Equal(t, false, members["truncated"])
	require.NotContains(t, members, "warnings")
}

func TestDiagnosticsRefuse(t *testing.T) {
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"logs?tail=0":                          {422, "SANDBOX::INVALID_PARAMETER"},
		"logs?tail=10001":                      {422, "SANDBOX::INVALID_PARAMETER"},
		"logs?tail=":                           {422, "SANDBOX::INVALID_PARAMETER"},
		"logs?tail=0&scope=nothing":            {422, "SANDBOX::INVALID_PARAMETER"},
		"logs?scope=":                          {400, "DIAGNOSTICS_SCOPE_UNSUPPORTED"},
		"logs?scope=lifecycle":                 {400, "DIAGNOSTICS_SCOPE_UNSUPPORTED"},
		"logs?scope=Container":                 {400, "DIAGNOSTICS_SCOPE_UNSUPPORTED"},
		"events?limit=0":                       {422, "SANDBOX::INVALID_PARAMETER"},
		"events?limit=501":                     {422, "SANDBOX::INVALID_PARAMETER"},
		"events?scope=container":               {400, "DIAGNOSTICS_SCOPE_UNSUPPORTED"},
		"summary?tail=1e9":                     {422, "SANDBOX::INVALID_PARAMETER"},
		"summary?event_limit=x":                {422, "SANDBOX::INVALID_PARAMETER"},
		"summary?event_limit=501":              {422, "SANDBOX::INVALID_PARAMETER"},
		"summary?tail=99999999999999999999999": {422, "SANDBOX::INVALID_PARAMETER"},
	} {
		e, d := newReports(t)
		wantError(t, e.do("GET", "/v1/sandboxes/x/diagnostics/"+path, ""), want.status, want.code)
		require.Empty(t, d.asked, path)

		// What a client did wrong comes before what the runtime lacks.
		if want.status == 422 {
			wantError(t, newEdge(t).do("GET", "/v1/sandboxes/x/diagnostics/"+path, ""), want.status, want.code)
		}
	}
	for _, path := range []string{"logs", "logs?scope=", "logs?scope=all", "events", "events?scope=x", "inspect", "summary"} {
		wantError(t, newEdge(t).do("GET", "/sandboxes/x/diagnostics/"+path, ""), 501, "DIAGNOSTICS_NOT_IMPLEMENTED")

		if path == "logs?scope=" || path == "events?scope=x" {
			continue
		}
		e, d := newReports(t)
		d.err = apierror.New(404, "DOCKER::SANDBOX_NOT_FOUND", "There is no sandbox.")
		w := e.do("GET", "/sandboxes/x/diagnostics/"+path, "")
		wantError(t, w, 404, "DOCKER::SANDBOX_NOT_FOUND")
		require.Empty(t, w.Header().Get("Deprecation"))
	}
}

func TestLogsSince(t *testing.T) {
	const unreadable = 10 * time.Minute
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "5m": 5 * time.Minute, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "2H": 2 * time.Hour, "7%20%20M": 7 * time.Minute,
		"0s": 0, "": unreadable, "m": unreadable, "5": unreadable, "-5m": unreadable, "5m%0A": unreadable, "1.5h": unreadable, "5w": unreadable,
		"2026-03-01T00:00:00Z": unreadable, "%20%205m": unreadable,
		"999999999999d": math.MaxInt64, "99999999999999999999s": math.MaxInt64,
	} {
		e, d := newReports(t)
		before := time.Now()
		require.Equal(t, 200, e.do("GET", "/sandboxes/x/diagnostics/logs?scope=all&since="+text, "").Code)
		require.WithinRange(t, d.since, before.Add(-want), time.Now().Add(-want), text)
	}
	e, d := newReports(t)
	require.Equal(t, 200, e.do("GET", "/sandboxes/x/diagnostics/logs", "").Code)
	require.True(t, d.since.IsZero())
}
