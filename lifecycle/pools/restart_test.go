package pools_test

import (
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/pools"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

func TestPoolsSurviveARestart(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(2, 5))
	sb := b.claim(func(r *lifecycle.CreateRequest) { r.Metadata = map[string]string{"team": "ml"} })
	b.filled(2)
	want, err := b.set.Get(name)
	require.NoError(t, err)
	made := b.runtime.Count(runtimefake.Create)

	b.close()
	b.start()
	got, err := b.set.Get(name)
	require.NoError(t, err)
	require.Equal(t, want, got)
	kept, err := b.service.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, sb.Metadata, kept.Metadata)
	require.Equal(t, sb.ExpiresAt, kept.ExpiresAt, "the record wins over labels, which know no expiry")
	require.Equal(t, 1, b.listed(), "members stay nobody's")
	require.Equal(t, 1, b.service.Directory().Len())

	next := b.claim()
	require.NotEqual(t, sb.ID, next.ID)
	require.Contains(t, b.members(), next.ID)
	b.filled(2)
	require.Equal(t, made+1, b.runtime.Count(runtimefake.Create), "only the one that was claimed is made anew")
}

// What a process that was killed can leave of a member, and what a restart makes of it.
func TestARestartRepairsWhatACrashLeft(t *testing.T) {
	for _, tc := range []struct {
		title  string
		leave  func(b *bed, id string)
		usable bool
	}{
		{"a member that runs", func(b *bed, id string) {
			b.begun(id)
			require.NoError(b.t, b.runtime.Place(member(id)))
			require.NoError(b.t, b.store.PutMember(b.t.Context(), id, name))
		}, true},
		{"made, and not joined yet", func(b *bed, id string) {
			b.begun(id)
			require.NoError(b.t, b.runtime.Place(member(id)))
		}, false},
		{"half made", func(b *bed, id string) {
			b.begun(id)
			require.NoError(b.t, b.runtime.PlaceHalf(member(id)))
		}, false},
		{"not made", func(b *bed, id string) { b.begun(id) }, false},
		{"claimed, and being equipped", func(b *bed, id string) {
			b.begun(id)
			require.NoError(b.t, b.runtime.Place(member(id)))
			require.NoError(b.t, b.store.PutMember(b.t.Context(), id, name))
			require.NoError(b.t, b.store.ClaimMember(b.t.Context(), lifecycle.Record{ID: id, Phase: lifecycle.Creating, CreatedAt: time.Now()}))
		}, false},
		{"a member that died meanwhile", func(b *bed, id string) {
			b.begun(id)
			require.NoError(b.t, b.runtime.Place(member(id)))
			require.NoError(b.t, b.runtime.End(b.t.Context(), id, 1))
			require.NoError(b.t, b.store.PutMember(b.t.Context(), id, name))
		}, false},
		{"a member whose pool was deleted", func(b *bed, id string) {
			b.begun(id)
			require.NoError(b.t, b.runtime.Place(member(id)))
			require.NoError(b.t, b.store.PutPool(b.t.Context(), pools.Pool{Name: "gone", Template: template()}))
			require.NoError(b.t, b.store.PutMember(b.t.Context(), id, "gone"))
			require.NoError(b.t, b.store.DeletePool(b.t.Context(), "gone"))
		}, false},
		{"a member without a record", func(b *bed, id string) {
			require.NoError(b.t, b.runtime.Place(member(id)))
		}, false},
	} {
		t.Run(tc.title, func(t *testing.T) {
			b := newBed(t).start()
			// One member is welcome and none is lacking, so that nothing happens by itself.
			_, err := b.set.Add(t.Context(), pools.Pool{Name: name, Template: template(), Capacity: pools.Capacity{BufferMax: 2, PoolMax: 5}})
			require.NoError(t, err)
			b.close()
			b.reopen()
			id := uuid.NewString()
			tc.leave(b, id)
			require.NoError(t, b.store.Close())
			b.start()

			require.Zero(t, b.listed())
			if tc.usable {
				require.Equal(t, id, b.claim().ID)
				return
			}
			require.False(t, b.runtime.Has(id), "it is removed")
			require.Empty(t, b.members())
			_, recorded := b.record(id)
			require.False(t, recorded)
			require.NotEqual(t, id, b.claim().ID)
		})
	}
}

func TestWithoutItsStoreNoMemberIsAdopted(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(2, 5))
	plain, err := b.service.Create(t.Context(), lifecycle.CreateRequest{Image: "python:3.11", Entrypoint: []string{"sleep"}})
	require.NoError(t, err)
	b.close()
	require.NoError(t, os.Remove(b.path))
	b.start()
	require.Equal(t, 1, b.listed())
	require.True(t, b.runtime.Has(plain.ID), "what was made for a client is adopted")
	list, err := b.runtime.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
}

func TestADeletedPoolIsDrained(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(3, 9))
	sb := b.claim()
	b.filled(3)
	require.NoError(t, b.set.Remove(t.Context(), name))
	b.eventually(func() bool {
		list, err := b.runtime.List(t.Context())
		return err == nil && len(list) == 1
	}, "members stay")
	require.Equal(t, 1, b.listed(), "what was claimed lives on")
	require.Empty(t, b.members())
	_, err := b.set.Get(name)
	fails(t, err, 404, pools.CodeNotFound)
	_, err = b.service.Create(t.Context(), claim())
	fails(t, err, 404, pools.CodeNotFound)
	require.Empty(t, b.set.List())
	require.NoError(t, b.service.Delete(t.Context(), sb.ID))

	b.pool(steady(1, 2)) // the name is free
	b.claim()
}

func TestAPoolFollowsItsCapacity(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(1, 9))
	_, err := b.set.Resize(t.Context(), name, steady(4, 9))
	require.NoError(t, err)
	b.filled(4)
	_, err = b.set.Resize(t.Context(), name, pools.Capacity{BufferMax: 1, PoolMax: 9})
	require.NoError(t, err)
	b.filled(0) // the middle of 0 and 1, rounded down
	b.eventually(func() bool { list, err := b.runtime.List(t.Context()); return err == nil && len(list) == 0 }, "too many stay")
	b.close()
	b.start()
	v, err := b.set.Get(name)
	require.NoError(t, err)
	require.Equal(t, pools.Capacity{BufferMax: 1, PoolMax: 9}, v.Capacity)

	_, err = b.set.Resize(t.Context(), "other", steady(1, 1))
	fails(t, err, 404, pools.CodeNotFound)
	fails(t, b.set.Remove(t.Context(), "other"), 404, pools.CodeNotFound)
}

func TestPoolsAreBounded(t *testing.T) {
	b := newBed(t).start()
	add := func(p pools.Pool) error { _, err := b.set.Add(t.Context(), p); return err }
	for range pools.MaxPools {
		require.NoError(t, add(pools.Pool{Name: uuid.NewString(), Template: template()}))
	}
	fails(t, add(pools.Pool{Name: "one-more", Template: template()}), 429, pools.CodeExhausted)
	fails(t, add(pools.Pool{Name: b.set.List()[0].Name, Template: template()}), 409, pools.CodeExists)
	for title, p := range map[string]pools.Pool{
		"name":       {Name: "../x", Template: template()},
		"buffer":     {Name: name, Template: template(), Capacity: pools.Capacity{BufferMin: 2, BufferMax: 1, PoolMax: 9}},
		"pool":       {Name: name, Template: template(), Capacity: pools.Capacity{PoolMin: 2, PoolMax: 1}},
		"large":      {Name: name, Template: template(), Capacity: pools.Capacity{PoolMax: pools.MaxMembers + 1}},
		"negative":   {Name: name, Template: template(), Capacity: pools.Capacity{PoolMin: -1}},
		"a template": {Name: name, Template: pools.Template{Image: "a", Entrypoint: []string{string(make([]byte, pools.MaxTemplate))}}},
	} {
		t.Run(title, func(t *testing.T) { fails(t, add(p), 400, "SANDBOX::INVALID_PARAMETER") })
	}
	require.NoError(t, b.set.Remove(t.Context(), b.set.List()[0].Name))
	for title, change := range map[string]func(*pools.Template){
		"image":      func(p *pools.Template) { p.Image = "../containers" },
		"limits":     func(p *pools.Template) { p.Resources = map[string]string{"cpu": "plenty"} },
		"entrypoint": func(p *pools.Template) { p.Entrypoint = []string{"a\x00"} },
		"platform":   func(p *pools.Template) { p.Platform = &lifecycle.Platform{OS: "plan9", Arch: "amd64"} },
		"env":        func(p *pools.Template) { p.Env = []lifecycle.EnvVar{{Name: "a=b"}} },
	} {
		t.Run("template "+title, func(t *testing.T) {
			p := pools.Pool{Name: name, Template: template()}
			change(&p.Template)
			_, err := b.set.Add(t.Context(), p)
			require.Error(t, err)
			_, err = b.set.Get(name)
			fails(t, err, 404, pools.CodeNotFound)
		})
	}
}

// reopen opens the store alone.
func (b *bed) reopen() {
	b.t.Helper()
	b.store = openStore(b)
}

// begun records a member as it is while it is made.
func (b *bed) begun(id string) {
	b.t.Helper()
	require.NoError(b.t, b.store.Put(b.t.Context(), lifecycle.Record{
		ID: id, Phase: lifecycle.Creating, Image: "python:3.11", Entrypoint: []string{"sleep"}, CreatedAt: time.Now(), ExecdToken: true,
	}))
}

func member(id string) lifecycle.Spec {
	return lifecycle.Spec{ID: id, Image: "python:3.11", Entrypoint: []string{"sleep"}, ExecdTokenSHA256: "x", Pool: name}
}
