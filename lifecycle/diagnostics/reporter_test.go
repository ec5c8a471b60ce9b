package diagnostics_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
	"github.com/opensandbox-edge/edge/secret"
)

const id = "160808dc-2c0c-48c3-875a-06ab3e948cdb"

var born = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// scripted is both what a Reporter asks: one sandbox, and its backend.
type scripted struct {
	gone    bool
	history lifecycle.History

	logs     diagnostics.Logs
	happened diagnostics.Happenings
	sections []diagnostics.Section
	fault    func(what string) error
	query    diagnostics.LogQuery
}

var errUnknown = apierror.New(404, "DOCKER::SANDBOX_NOT_FOUND", "There is no such sandbox.")

func (s *scripted) Get(_ context.Context, asked string) (lifecycle.Sandbox, error) {
	if s.gone || asked != id {
		return lifecycle.Sandbox{}, errUnknown
	}
	return lifecycle.Sandbox{ID: id}, nil
}

func (s *scripted) History(asked string) (lifecycle.History, error) {
	_, err := s.Get(context.Background(), asked)
	return s.history, err
}

func (s *scripted) ExecdToken(string) secret.Text { return secret.New("execd-token-of-this-sandbox") }

func (s *scripted) AccessToken(string) secret.Text { return secret.New("access-token-of-this-sandbox") }

func (s *scripted) failing(what string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(what)
}

func (s *scripted) Logs(_ context.Context, _ string, q diagnostics.LogQuery) (diagnostics.Logs, error) {
	s.query = q
	return s.logs, s.failing("logs")
}

func (s *scripted) Happenings(context.Context, string) (diagnostics.Happenings, error) {
	return s.happened, s.failing("events")
}

func (s *scripted) Describe(context.Context, string) ([]diagnostics.Section, error) {
	return s.sections, s.failing("inspect")
}

func reporter(s *scripted) (*diagnostics.Reporter, *bytes.Buffer) {
	log := new(bytes.Buffer)
	return diagnostics.New(s, s, slog.New(slog.NewTextHandler(log, nil))), log
}

func TestUnknownSandboxIsNeverAskedFor(t *testing.T) {
	s := &scripted{fault: func(what string) error { t.Errorf("the backend was asked for %s", what); return nil }}
	r, _ := reporter(s)
	for _, unknown := range []string{"../containers/x", "", "sandbox\n", strings.Repeat("a", 1<<16)} {
		_, err := r.Logs(t.Context(), unknown, 1, time.Time{})
		require.ErrorIs(t, err, errUnknown)
		for _, scope := range []diagnostics.Scope{diagnostics.ScopeRuntime, diagnostics.ScopeLifecycle, diagnostics.ScopeAll} {
			_, err = r.Events(t.Context(), unknown, scope, 1)
			require.ErrorIs(t, err, errUnknown)
		}
		_, err = r.Inspect(t.Context(), unknown)
		require.ErrorIs(t, err, errUnknown)
		_, err = r.Summary(t.Context(), unknown, 1, 1)
		require.ErrorIs(t, err, errUnknown)
	}
}

func TestLogsShowNoTokenAndNothingThatActs(t *testing.T) {
	s := &scripted{logs: diagnostics.Logs{
		Text: []byte("1 GET / X-EXECD-ACCESS-TOKEN: execd-token-of-this-sandbox\n2 \x1b[2Jaccess-token-of-this-sandboxaccess-token-of-this-sandbox\n"),
		Gaps: []string{"Something is missing."},
	}}
	r, _ := reporter(s)
	report, err := r.Logs(t.Context(), id, 100, born)
	require.NoError(t, err)
	require.Equal(t, diagnostics.Report{
		Text:     "1 GET / X-EXECD-ACCESS-TOKEN: ***\n2 \\x1b[2J******\n",
		Warnings: []string{"Something is missing."},
	}, report)
	require.Equal(t, diagnostics.LogQuery{Lines: 101, Since: born, Bytes: 1 << 20}, s.query, "one line more tells whether there are more")
	require.Equal(t, report.Text+"(Something is missing.)\n", report.Plain("(no logs)\n"))
}

func TestLogsSayWhenTheyAreNotAll(t *testing.T) {
	s := &scripted{logs: diagnostics.Logs{Text: []byte("1\n2\n3\n")}}
	r, _ := reporter(s)
	read := func(lines int) diagnostics.Report {
		report, err := r.Logs(t.Context(), id, lines, time.Time{})
		require.NoError(t, err)
		return report
	}
	require.Equal(t, diagnostics.Report{Text: "1\n2\n3\n"}, read(3))
	require.Equal(t, diagnostics.Report{Text: "2\n3\n", Truncated: true}, read(2))
	s.logs.Cut = true
	require.Equal(t, diagnostics.Report{Text: "1\n2\n3\n", Truncated: true}, read(3))

	// Each NUL is shown as four characters, so that the text outgrows what was read.
	s.logs = diagnostics.Logs{Text: bytes.Repeat([]byte(strings.Repeat("\x00", 99)+"\n"), 10000)}
	big := read(10000)
	require.True(t, big.Truncated)
	require.LessOrEqual(t, len(big.Text), 1<<20)
	require.Greater(t, len(big.Text), 1<<20-1000)
	require.True(t, strings.HasPrefix(big.Text, `\x00`) && strings.HasSuffix(big.Text, "\n"), "whole lines")
	require.Zero(t, len(big.Text)%(4*99+1))

	s.logs = diagnostics.Logs{}
	require.Equal(t, "(no logs)\n", read(3).Plain(diagnostics.NoLogs))
}

func TestEventsByScope(t *testing.T) {
	s := &scripted{
		happened: diagnostics.Happenings{
			Head:   []diagnostics.Field{{Label: "Status", Value: "exited"}},
			Events: []diagnostics.Event{{At: born, Reason: "HealthCheck"}, {At: born, Warning: true, Reason: "NonZeroExit", Message: "code 3"}},
		},
		history: lifecycle.History{Complete: true, Occurrences: []lifecycle.Occurrence{
			{At: born, Times: 1, Reason: "Creating", Message: "A client asked for it."},
			{At: born, Times: 3, Reason: "Renewed", Message: "It lives on."},
		}},
	}
	r, _ := reporter(s)
	read := func(scope diagnostics.Scope, limit int) diagnostics.Report {
		report, err := r.Events(t.Context(), id, scope, limit)
		require.NoError(t, err)
		return report
	}
	const (
		exit    = "[2026-03-01T12:00:00Z] Warning  NonZeroExit          code 3\n"
		renewed = "[2026-03-01T12:00:00Z] Normal   Renewed              It lives on. (3 times)\n"
	)
	require.Equal(t, diagnostics.Report{Text: "Status: exited\n" + exit, Truncated: true}, read(diagnostics.ScopeRuntime, 1))
	require.Equal(t, diagnostics.Report{Text: renewed, Truncated: true}, read(diagnostics.ScopeLifecycle, 1))
	require.Equal(t, diagnostics.Report{Text: "Runtime:\nStatus: exited\n" + exit + "\nLifecycle:\n" + renewed, Truncated: true}, read(diagnostics.ScopeAll, 1))
	require.False(t, read(diagnostics.ScopeAll, 2).Truncated)

	s.happened.Events = nil
	require.Equal(t, "Status: exited\n(no notable events)\n", read(diagnostics.ScopeRuntime, 1).Text)
	s.history.Complete = false
	own := read(diagnostics.ScopeAll, 9)
	require.Len(t, own.Warnings, 1)
	require.Contains(t, own.Warnings[0], "before 2026-03-01T12:00:00Z is not known")
	s.history.Occurrences = nil
	require.Equal(t, "(no events)\n", read(diagnostics.ScopeLifecycle, 9).Text)
}

func TestASandboxWithoutABackendObjectIsAGap(t *testing.T) {
	s := &scripted{fault: func(string) error { return lifecycle.ErrNotFound }}
	r, _ := reporter(s)
	logs, err := r.Logs(t.Context(), id, 1, time.Time{})
	require.NoError(t, err)
	require.Len(t, logs.Warnings, 1)
	events, err := r.Events(t.Context(), id, diagnostics.ScopeRuntime, 1)
	require.NoError(t, err)
	require.Equal(t, logs.Warnings, events.Warnings)
	look, err := r.Inspect(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, logs.Warnings, look.Warnings)

	// It was removed while the backend was asked.
	s.fault = func(string) error { s.gone = true; return lifecycle.ErrNotFound }
	_, err = r.Logs(t.Context(), id, 1, time.Time{})
	require.ErrorIs(t, err, errUnknown)
}

func TestSummary(t *testing.T) {
	s := &scripted{
		logs:     diagnostics.Logs{Text: []byte("1 hello\n")},
		happened: diagnostics.Happenings{Head: []diagnostics.Field{{Label: "Status", Value: "running"}}},
		sections: []diagnostics.Section{{Fields: []diagnostics.Field{{Label: "Name", Value: "sandbox"}}}},
	}
	r, log := reporter(s)
	banner, rule := strings.Repeat("=", 72), strings.Repeat("-", 40)
	text, err := r.Summary(t.Context(), id, 7, 20)
	require.NoError(t, err)
	require.Equal(t, banner+"\nSANDBOX DIAGNOSTICS SUMMARY\nSandbox ID: "+id+"\n"+banner+"\n"+
		"\n"+rule+"\nINSPECT\n"+rule+"\nName: sandbox\n"+
		"\n"+rule+"\nEVENTS\n"+rule+"\nStatus: running\n(no notable events)\n"+
		"\n"+rule+"\nLOGS (last 7 lines)\n"+rule+"\n1 hello\n", text)
	require.Equal(t, 8, s.query.Lines)

	s.fault = func(what string) error {
		if what == "events" {
			return errors.New("dial 10.0.0.1: refused")
		}
		return nil
	}
	text, err = r.Summary(t.Context(), id, 7, 20)
	require.NoError(t, err)
	require.Contains(t, text, rule+"\n[error] Failed to collect events diagnostics.\n\n"+rule+"\nLOGS")
	require.NotContains(t, text, "10.0.0.1")
	require.Contains(t, log.String(), "10.0.0.1", "details are logged")

	s.fault = func(what string) error {
		if what == "logs" {
			return errUnknown
		}
		return nil
	}
	_, err = r.Summary(t.Context(), id, 7, 20)
	require.ErrorIs(t, err, errUnknown)
}

func TestReportsTakeTurns(t *testing.T) {
	inside, proceed := make(chan struct{}), make(chan struct{})
	s := &scripted{fault: func(string) error { inside <- struct{}{}; <-proceed; return nil }}
	r, _ := reporter(s)
	done := make(chan error)
	for range 8 {
		go func() {
			_, err := r.Inspect(t.Context(), id)
			done <- err
		}()
		<-inside
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Inspect(ctx, id)
	require.Equal(t, 503, apierror.From(err).Status)
	close(proceed)
	for range 8 {
		require.NoError(t, <-done)
	}
}

func TestScopes(t *testing.T) {
	for kind, known := range map[diagnostics.Kind][]string{
		diagnostics.KindLogs:   {"container", "all"},
		diagnostics.KindEvents: {"runtime", "lifecycle", "all"},
	} {
		for _, text := range known {
			scope, err := kind.ParseScope(text)
			require.NoError(t, err)
			require.Equal(t, text, string(scope))
		}
		for _, text := range []string{"", "ALL", " all", "network", "process", strings.Repeat("x", 9999)} {
			_, err := kind.ParseScope(text)
			typed := apierror.From(err)
			require.Equal(t, 400, typed.Status)
			require.Equal(t, "DIAGNOSTICS_SCOPE_UNSUPPORTED", typed.Code)
			require.Contains(t, typed.Message, strings.Join(known, ", "))
			require.Less(t, len(typed.Message), 400)
		}
	}
	_, err := diagnostics.KindLogs.ParseScope("lifecycle")
	require.Error(t, err)
	_, err = diagnostics.KindEvents.ParseScope("container")
	require.Error(t, err)
}
