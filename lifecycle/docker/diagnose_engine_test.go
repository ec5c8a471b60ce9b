//go:build docker

package docker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
)

// talker is a sandbox whose main process writes and ends.
func talker(t *testing.T, r *Runtime, script string, change ...func(*lifecycle.Spec)) string {
	t.Helper()
	s := spec(uuid.NewString())
	s.Entrypoint = []string{"sh", "-c", script}
	for _, c := range change {
		c(&s)
	}
	_, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		inst, err := r.Inspect(t.Context(), s.ID)
		return err == nil && (inst.Status.State == lifecycle.Failed || inst.Status.State == lifecycle.Terminated)
	}, time.Minute, 10*time.Millisecond)
	return s.ID
}

func TestLogsOfASandbox(t *testing.T) {
	r := open(t, nil)
	id := talker(t, r, `echo first; echo second >&2; i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; printf unended`)
	read := func(q diagnostics.LogQuery) diagnostics.Logs {
		logs, err := r.Logs(t.Context(), id, q)
		require.NoError(t, err)
		require.Empty(t, logs.Gaps)
		return logs
	}
	all := read(diagnostics.LogQuery{Lines: 10000, Bytes: 1 << 20})
	require.False(t, all.Cut)
	var said []string
	for line := range strings.Lines(string(all.Text)) {
		stamp, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		_, err := time.Parse(time.RFC3339Nano, stamp)
		require.NoError(t, err, "every line begins with its time: %q", line)
		said = append(said, text)
	}
	for _, want := range []string{"first", "second", "line 0", "line 99"} {
		require.Contains(t, said, want, "both streams")
	}
	require.Contains(t, string(all.Text), " unended", "also what has no end of line")

	few := read(diagnostics.LogQuery{Lines: 2, Bytes: 1 << 20})
	require.Equal(t, 2, strings.Count(string(few.Text), "\n"))
	require.True(t, strings.HasSuffix(string(all.Text), string(few.Text)))
	small := read(diagnostics.LogQuery{Lines: 10000, Bytes: 500})
	require.True(t, small.Cut)
	require.LessOrEqual(t, len(small.Text), 500)
	require.True(t, strings.HasSuffix(string(all.Text), string(small.Text)))
	require.Empty(t, read(diagnostics.LogQuery{Lines: 9, Bytes: 500, Since: time.Now().Add(time.Hour)}).Text)
	require.Equal(t, all, read(diagnostics.LogQuery{Lines: 10000, Bytes: 1 << 20, Since: time.Now().Add(-time.Hour)}))
	require.Equal(t, all, read(diagnostics.LogQuery{Lines: 10000, Bytes: 1 << 20, Since: time.Now().Add(-1 << 62)}), "before there were engines")
}

// An inspection shows neither values of variables nor tokens (threat row K13).
func TestDescriptionOfASandbox(t *testing.T) {
	r := open(t, nil)
	id := talker(t, r, "exit 3", func(s *lifecycle.Spec) {
		s.Env = []lifecycle.EnvVar{{Name: "DATABASE_URL", Value: "postgres://u:p4ss@db"}}
		s.ExecdTokenSHA256 = strings.Repeat("ab", 32)
		s.Metadata = map[string]string{"team": "ml"}
		s.Limits.MemoryBytes = 64 << 20
	})
	sections, err := r.Describe(t.Context(), id)
	require.NoError(t, err)
	var lines []string
	for _, s := range sections {
		for _, f := range s.Fields {
			lines = append(lines, s.Title+"/"+f.Label+"="+f.Value)
		}
	}
	for _, want := range []string{"/Name=sandbox-" + id, "/Status=exited", "/Exit Code=3", "Labels/team=ml=", "Environment/DATABASE_URL=", "Resources/Memory=64 MiB"} {
		require.Contains(t, lines, want)
	}
	require.NotContains(t, strings.Join(lines, "\n"), "p4ss")
	require.NotContains(t, strings.Join(lines, "\n"), "abab")

	h, err := r.Happenings(t.Context(), id)
	require.NoError(t, err)
	require.Contains(t, h.Head, diagnostics.Field{Label: "Status", Value: "exited"})
	require.True(t, slices.ContainsFunc(h.Events, func(e diagnostics.Event) bool { return e.Warning && e.Reason == "NonZeroExit" }), "%+v", h)
}
