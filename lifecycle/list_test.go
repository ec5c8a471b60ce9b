package lifecycle_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// What callers get is theirs: changing it changes nothing here.
func TestAnswersShareNoMemory(t *testing.T) {
	b := started(t)
	r := request()
	sb, err := b.Create(t.Context(), r)
	require.NoError(t, err)
	want := maps.Clone(sb.Metadata)
	r.Metadata["request"], r.Entrypoint[0] = "x", "x"
	sb.Metadata["answer"], sb.Entrypoint[0] = "x", "x"
	list, err := b.List(t.Context(), lifecycle.Filter{}, lifecycle.Page{Number: 1, Size: 20})
	require.NoError(t, err)
	list.Items[0].Metadata["list"] = "x"
	got, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, want, got.Metadata)
	require.Equal(t, []string{"sleep", "inf"}, got.Entrypoint)
}

func TestList(t *testing.T) {
	b := started(t)
	var ids []string
	for i := range 5 {
		sb := b.create(func(r *lifecycle.CreateRequest) {
			r.Metadata = map[string]string{"n": fmt.Sprint(i), "even": fmt.Sprint(i%2 == 0)}
		})
		ids = append([]string{sb.ID}, ids...) // newest first
		b.advance(time.Second)
	}
	require.NoError(t, b.Pause(t.Context(), ids[0]))
	list := func(f lifecycle.Filter, p lifecycle.Page) (got []string, r lifecycle.ListResult) {
		r, err := b.List(t.Context(), f, p)
		require.NoError(t, err)
		require.NotNil(t, r.Items)
		for _, sb := range r.Items {
			got = append(got, sb.ID)
		}
		return got, r
	}
	all := lifecycle.Page{Number: 1, Size: 20}
	for _, c := range []struct {
		name   string
		filter lifecycle.Filter
		want   []string
	}{
		{"all", lifecycle.Filter{}, ids},
		{"state in any case", lifecycle.Filter{States: []string{"pAuSeD"}}, ids[:1]},
		{"states are or-ed", lifecycle.Filter{States: []string{"paused", "running"}}, ids},
		{"empty state", lifecycle.Filter{States: []string{""}}, nil},
		{"unknown state", lifecycle.Filter{States: []string{"Happy"}}, nil},
		{"metadata", lifecycle.Filter{Metadata: map[string]string{"even": "true"}}, []string{ids[0], ids[2], ids[4]}},
		{"metadata is and-ed", lifecycle.Filter{Metadata: map[string]string{"even": "true", "n": "2"}}, ids[2:3]},
		{"metadata is exact", lifecycle.Filter{Metadata: map[string]string{"even": "True"}}, nil},
		{"absent is not empty", lifecycle.Filter{Metadata: map[string]string{"missing": ""}}, nil},
		{"both", lifecycle.Filter{States: []string{"running"}, Metadata: map[string]string{"even": "true"}}, []string{ids[2], ids[4]}},
	} {
		got, r := list(c.filter, all)
		require.Equal(t, c.want, got, c.name)
		require.Equal(t, len(c.want), r.Total, c.name)
	}
	for _, c := range []struct {
		page    lifecycle.Page
		want    []string
		hasNext bool
	}{
		{lifecycle.Page{Number: 1, Size: 2}, ids[:2], true},
		{lifecycle.Page{Number: 2, Size: 2}, ids[2:4], true},
		{lifecycle.Page{Number: 3, Size: 2}, ids[4:], false},
		{lifecycle.Page{Number: 4, Size: 2}, nil, false},
		{lifecycle.Page{Number: 1 << 62, Size: 200}, nil, false},
	} {
		got, r := list(lifecycle.Filter{}, c.page)
		require.Equal(t, c.want, got, "%+v", c.page)
		require.Equal(t, c.hasNext, r.HasNext(), "%+v", c.page)
		require.Equal(t, 5, r.Total)
	}
	_, r := list(lifecycle.Filter{States: []string{""}}, all)
	require.Zero(t, r.TotalPages())
}
