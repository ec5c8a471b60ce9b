package runtimetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/diagnostics"
)

// testDiagnose is for runtimes that can tell more about a sandbox than its state.
func testDiagnose(t *testing.T, b *bench) {
	d, ok := b.Runtime.(diagnostics.Diagnoser)
	if !ok {
		t.Skip("this runtime has nothing to tell")
	}
	inst := b.create()
	sections, err := d.Describe(b.ctx, inst.ID)
	require.NoError(t, err)
	require.NotEmpty(t, sections)
	require.Empty(t, sections[0].Title)
	require.NotEmpty(t, sections[0].Fields)
	happened, err := d.Happenings(b.ctx, inst.ID)
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(happened.Events, isWarning), "all is well: %+v", happened)
	for _, q := range []diagnostics.LogQuery{{Lines: 1, Bytes: 1}, {Lines: 10000, Bytes: 1 << 20}, {Lines: 9, Bytes: 99, Since: time.Unix(0, 0)}} {
		logs, err := d.Logs(b.ctx, inst.ID, q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(logs.Text), q.Bytes)
		if len(logs.Text) > 0 {
			require.EqualValues(t, '\n', logs.Text[len(logs.Text)-1], "whole lines")
		}
	}

	require.NoError(t, b.End(b.ctx, inst.ID, 3))
	b.eventually(inst.ID, lifecycle.Failed)
	happened, err = d.Happenings(b.ctx, inst.ID)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(happened.Events, isWarning), "it ended with an error: %+v", happened)
	require.True(t, slices.IsSortedFunc(happened.Events, func(a, b diagnostics.Event) int { return a.At.Compare(b.At) }), "oldest first")

	require.NoError(t, b.Runtime.Delete(b.ctx, inst.ID))
	for _, id := range []string{inst.ID, uuid.NewString(), "../containers/x", ""} {
		_, err = d.Logs(b.ctx, id, diagnostics.LogQuery{Lines: 1, Bytes: 1})
		require.ErrorIs(t, err, lifecycle.ErrNotFound, "%q", id)
		_, err = d.Happenings(b.ctx, id)
		require.ErrorIs(t, err, lifecycle.ErrNotFound, "%q", id)
		_, err = d.Describe(b.ctx, id)
		require.ErrorIs(t, err, lifecycle.ErrNotFound, "%q", id)
	}
}

func isWarning(e diagnostics.Event) bool { return e.Warning }
