package lifecycle_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

func text(s string) *string { return &s }

func TestPatchMetadata(t *testing.T) {
	b := started(t)
	sb := b.create(func(r *lifecycle.CreateRequest) { r.Metadata = map[string]string{"a": "1", "b": "2"} })
	for _, step := range []struct {
		patch map[string]*string
		want  map[string]string
	}{
		{nil, map[string]string{"a": "1", "b": "2"}},
		{map[string]*string{"a": nil, "missing": nil}, map[string]string{"b": "2"}},
		{map[string]*string{"c": text("3"), "b": text("")}, map[string]string{"b": "", "c": "3"}},
		{map[string]*string{"not a label": nil}, map[string]string{"b": "", "c": "3"}},
	} {
		got, err := b.PatchMetadata(t.Context(), sb.ID, step.patch)
		require.NoError(t, err)
		require.Equal(t, step.want, got.Metadata)
		record, _ := b.store.get(sb.ID)
		require.Equal(t, step.want, record.Metadata)
	}
	b.restart()
	got, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"b": "", "c": "3"}, got.Metadata, "a deleted key came back from the labels")

	for _, c := range []struct {
		patch map[string]*string
		code  string
	}{
		{map[string]*string{"opensandbox.io/id": nil}, "INVALID_METADATA_LABEL"},
		{map[string]*string{"opensandbox.io/id": text("x"), "-": text("")}, "INVALID_METADATA_LABEL"},
		{map[string]*string{"-": text("x")}, "SANDBOX::INVALID_METADATA_LABEL"},
		{map[string]*string{"a": text("x y")}, "SANDBOX::INVALID_METADATA_LABEL"},
	} {
		_, err := b.PatchMetadata(t.Context(), sb.ID, c.patch)
		fails(t, err, 400, c.code)
	}
	b.store.failing(func(string, lifecycle.Record) error { return errors.New("disk full") })
	_, err = b.PatchMetadata(t.Context(), sb.ID, map[string]*string{"d": text("4")})
	fails(t, err, 500, "GENERAL::UNKNOWN_ERROR")
	got, err = b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.NotContains(t, got.Metadata, "d")
}

func TestConcurrentPatchesAreBothKept(t *testing.T) {
	const n = 40
	b := started(t)
	sb := b.create(func(r *lifecycle.CreateRequest) { r.Metadata = nil })
	want := map[string]string{}
	var wg sync.WaitGroup
	for i := range n {
		key := fmt.Sprint("k", i)
		want[key] = "v"
		wg.Go(func() {
			if _, err := b.PatchMetadata(t.Context(), sb.ID, map[string]*string{key: text("v")}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, want, got.Metadata)
}

func TestPatchIsBounded(t *testing.T) {
	b := started(t)
	sb := b.create(func(r *lifecycle.CreateRequest) { r.Metadata = entries(128) })
	_, err := b.PatchMetadata(t.Context(), sb.ID, map[string]*string{"c": text("")})
	fails(t, err, 400, "SANDBOX::INVALID_METADATA_LABEL")
	_, err = b.PatchMetadata(t.Context(), sb.ID, map[string]*string{"c": text(""), "k0": nil})
	require.NoError(t, err)
}
