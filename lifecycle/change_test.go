package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

const notFound = "DOCKER::SANDBOX_NOT_FOUND"

func TestUnknownIDs(t *testing.T) {
	b := started(t)
	for _, id := range []string{"", "nobody", "..", "sandboxes", "a/b", "\x00"} {
		_, err := b.Get(t.Context(), id)
		fails(t, err, 404, notFound)
		fails(t, b.Delete(t.Context(), id), 404, notFound)
		fails(t, b.Pause(t.Context(), id), 404, notFound)
		fails(t, b.Resume(t.Context(), id), 404, notFound)
		_, err = b.Renew(t.Context(), id, time.Time{})
		fails(t, err, 404, notFound)
		_, err = b.ExtendOnAccess(t.Context(), id)
		fails(t, err, 404, notFound)
		_, err = b.PatchMetadata(t.Context(), id, map[string]*string{"opensandbox.io/x": nil})
		fails(t, err, 404, notFound)
	}
	require.Zero(t, b.runtime.Count(runtimefake.Inspect), "an unknown id reached the backend")
}

func TestRenew(t *testing.T) {
	b := started(t)
	sb := b.create()
	now := b.clock.Now()
	for name, at := range map[string]time.Time{"longer": now.Add(5 * time.Hour), "shorter": now.Add(time.Minute)} {
		got, err := b.Renew(t.Context(), sb.ID, at.In(time.FixedZone("x", 3600)))
		require.NoError(t, err, name)
		want := at.UTC().Truncate(time.Microsecond)
		require.Equal(t, want, got, name)
		record, _ := b.store.get(sb.ID)
		require.Equal(t, want, record.ExpiresAt, name)
		shown, err := b.Get(t.Context(), sb.ID)
		require.NoError(t, err)
		require.Equal(t, want, shown.ExpiresAt, name)
		armed, _ := b.Armed(sb.ID)
		require.Equal(t, want, armed, name)
	}
}

func TestRenewRefused(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxTimeout = 2 * time.Hour })
	sb := b.create()
	manual := b.create(timeout(0))
	now := b.clock.Now()
	for _, c := range []struct {
		id     string
		at     time.Time
		status int
	}{
		{sb.ID, now, 400},
		{sb.ID, now.Add(-time.Second), 400},
		{sb.ID, time.Time{}, 400},
		{sb.ID, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), 400},
		{manual.ID, now.Add(-time.Second), 400},
		{manual.ID, now.Add(time.Hour), 409},
	} {
		_, err := b.Renew(t.Context(), c.id, c.at)
		e := fails(t, err, c.status, "DOCKER::INVALID_EXPIRATION")
		if c.status == 409 {
			require.Contains(t, e.Message, "does not have automatic expiration enabled")
		}
	}
	_, err := b.Renew(t.Context(), sb.ID, now.Add(100*time.Hour))
	require.NoError(t, err, "the limit of timeouts does not bind the API's renew")
}

func TestRenewThatCannotBeStoredChangesNothing(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.store.failing(func(string, lifecycle.Record) error { return errors.New("disk full") })
	_, err := b.Renew(t.Context(), sb.ID, b.clock.Now().Add(9*time.Hour))
	fails(t, err, 500, "GENERAL::UNKNOWN_ERROR")
	shown, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, sb.ExpiresAt, shown.ExpiresAt)
	require.Equal(t, "the last write failed", b.Ready().Components["store"])
	require.False(t, b.Ready().Ready)

	b.store.failing(nil)
	_, err = b.Renew(t.Context(), sb.ID, b.clock.Now().Add(9*time.Hour))
	require.NoError(t, err)
	require.True(t, b.Ready().Ready)
}

func TestExtendOnAccess(t *testing.T) {
	opted := extension("access.renew.extend.seconds", "600")
	b := started(t, func(o *lifecycle.Options) { o.MaxTimeout = 2 * time.Hour })
	long := b.create(opted)                         // expires in an hour
	short := b.create(opted, timeout(time.Minute))  // in a minute
	plain := b.create(timeout(time.Minute))         // not opted in
	manual := b.create(opted, timeout(0))           // never
	paused := b.create(opted, timeout(time.Minute)) // paused
	require.NoError(t, b.Pause(t.Context(), paused.ID))

	puts := 0
	b.store.failing(func(string, lifecycle.Record) error { puts++; return nil })
	for _, sb := range []lifecycle.Sandbox{long, plain, manual, paused} {
		got, err := b.ExtendOnAccess(t.Context(), sb.ID)
		require.NoError(t, err)
		require.Equal(t, sb.ExpiresAt, got)
	}
	require.Zero(t, puts, "nothing changed, and it was written")

	got, err := b.ExtendOnAccess(t.Context(), short.ID)
	require.NoError(t, err)
	want := b.clock.Now().Add(10 * time.Minute).UTC().Truncate(time.Microsecond)
	require.Equal(t, want, got)
	record, _ := b.store.get(short.ID)
	require.Equal(t, want, record.ExpiresAt)

	// The total life is bounded for touches.
	life := short.CreatedAt.Add(2 * time.Hour)
	for b.clock.Now().Before(life.Add(-5 * time.Minute)) {
		b.clock.step(5 * time.Minute)
		got, err = b.ExtendOnAccess(t.Context(), short.ID)
		require.NoError(t, err)
	}
	require.Equal(t, life, got)

	b.store.failing(func(string, lifecycle.Record) error { return errors.New("disk full") })
	_, err = b.Renew(t.Context(), short.ID, b.clock.Now().Add(time.Minute))
	require.Error(t, err)
}

func TestExpiry(t *testing.T) {
	b := started(t)
	first, second, never := b.create(timeout(time.Minute)), b.create(timeout(time.Hour)), b.create(timeout(0))
	e := b.entry(first.ID)

	b.clock.advance(time.Minute - time.Second)
	require.Never(t, func() bool { return !b.runtime.Has(first.ID) }, 20*time.Millisecond, time.Millisecond)
	b.clock.advance(2 * time.Second)
	b.eventually(func() bool { _, err := b.Get(t.Context(), first.ID); return err != nil })
	_, err := b.Get(t.Context(), first.ID)
	fails(t, err, 404, notFound)
	require.ErrorIs(t, context.Cause(e.Ctx), lifecycle.ErrGone)
	_, known := b.store.get(first.ID)
	require.False(t, known)

	require.NoError(t, b.Pause(t.Context(), second.ID))
	b.clock.advance(time.Hour)
	b.eventually(func() bool { return !b.runtime.Has(second.ID) }, "a paused sandbox does not expire")
	b.clock.advance(1000 * time.Hour)
	require.NoError(t, b.Delete(t.Context(), never.ID))
	b.nothingLeft()
}

// The timer sleeps by a clock that steps do not move, so a sleep is bounded.
func TestExpiryAfterAClockStep(t *testing.T) {
	b := started(t)
	sb := b.create(timeout(time.Hour))
	b.clock.step(2 * time.Hour) // the wall clock was set, or the machine slept
	b.eventually(func() bool { b.clock.pass(lifecycle.MaxSleep); return !b.runtime.Has(sb.ID) })

	back := b.create(timeout(time.Hour))
	b.clock.step(-3 * time.Hour)
	b.clock.advance(time.Hour + time.Minute)
	require.Never(t, func() bool { return !b.runtime.Has(back.ID) }, 20*time.Millisecond, time.Millisecond)
	b.clock.step(3 * time.Hour)
	b.eventually(func() bool { b.clock.pass(lifecycle.MaxSleep); return !b.runtime.Has(back.ID) })
}

func TestExpiryIsRetriedWithBackOff(t *testing.T) {
	b := started(t)
	sb := b.create(timeout(time.Minute))
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Delete {
			return errors.New("engine is down")
		}
		return nil
	})
	b.clock.advance(time.Minute)
	var last time.Duration
	for n := 1; n <= 8; n++ {
		b.eventually(func() bool { return b.runtime.Count(runtimefake.Delete) == n })
		var at time.Time
		b.eventually(func() bool { var armed bool; at, armed = b.Armed(sb.ID); return armed })
		wait := at.Sub(b.clock.Now())
		require.GreaterOrEqual(t, wait, last, "attempt %d", n)
		require.LessOrEqual(t, wait, time.Minute)
		last = wait
		shown, err := b.Get(t.Context(), sb.ID)
		require.NoError(t, err)
		require.Equal(t, lifecycle.Stopping, shown.Status.State)
		_, routed := b.Directory().Lookup(sb.ID)
		require.False(t, routed)
		b.clock.advance(wait)
	}
	require.Greater(t, last, 10*time.Second)
	_, err := b.Renew(t.Context(), sb.ID, b.clock.Now().Add(time.Hour))
	fails(t, err, 404, notFound)
	b.runtime.SetHook(nil)
	b.clock.advance(time.Minute)
	b.nothingLeft()
}

// Renewals and the timer meet in the same moment, many times: the sandbox is either
// gone, or lives with exactly the deadline it was promised.
func TestRenewRacesTheTimer(t *testing.T) {
	b := started(t)
	renewed := 0
	for range 200 {
		sb := b.create(timeout(time.Minute))
		b.clock.advance(time.Minute - time.Microsecond)
		at := b.clock.Now().Add(time.Hour)
		var wg sync.WaitGroup
		var err error
		wg.Go(func() { b.clock.advance(time.Microsecond) })
		wg.Go(func() { _, err = b.Renew(t.Context(), sb.ID, at) })
		wg.Wait()
		if err != nil {
			fails(t, err, 404, notFound)
			b.eventually(func() bool { return !b.runtime.Has(sb.ID) })
			_, armed := b.Armed(sb.ID)
			require.False(t, armed)
			continue
		}
		renewed++
		want := at.UTC().Truncate(time.Microsecond)
		b.eventually(func() bool { armed, ok := b.Armed(sb.ID); return ok && armed.Equal(want) })
		require.True(t, b.runtime.Has(sb.ID))
		require.NoError(t, b.Delete(t.Context(), sb.ID))
	}
	require.Positive(t, renewed, "the race was never won by a renewal")
	b.nothingLeft()
}

func TestDelete(t *testing.T) {
	b := started(t)
	for name, prepare := range map[string]func(id string){
		"running": func(string) {},
		"paused":  func(id string) { require.NoError(t, b.Pause(t.Context(), id)) },
		"ended":   func(id string) { require.NoError(t, b.runtime.End(t.Context(), id, 1)) },
		"removed": func(id string) {
			b.runtime.Lose()
			require.NoError(t, b.runtime.Remove(t.Context(), id))
			b.runtime.Reconnect()
		},
	} {
		sb := b.create()
		e := b.entry(sb.ID)
		prepare(sb.ID)
		require.NoError(t, b.Delete(t.Context(), sb.ID), name)
		require.Error(t, e.Ctx.Err(), name)
		fails(t, b.Delete(t.Context(), sb.ID), 404, notFound)
		b.nothingLeft()
	}
}

func TestDeleteConcurrently(t *testing.T) {
	b := started(t)
	for range 20 {
		sb := b.create(timeout(time.Minute))
		b.clock.advance(time.Minute - time.Microsecond)
		errs := make([]error, 6)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = b.Delete(t.Context(), sb.ID) })
		}
		wg.Go(func() { b.clock.advance(time.Microsecond) }) // and it expires
		wg.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
				continue
			}
			fails(t, err, 404, notFound)
		}
		require.LessOrEqual(t, done, 1)
		b.nothingLeft()
	}
}

func TestDeleteThatFailsIsTriedAgain(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Delete {
			return errors.New("secret detail of the engine")
		}
		return nil
	})
	e := fails(t, b.Delete(t.Context(), sb.ID), 500, "DOCKER::SANDBOX_DELETE_FAILED")
	require.NotContains(t, e.Message, "secret")
	record, _ := b.store.get(sb.ID)
	require.Equal(t, lifecycle.Deleting, record.Phase, "a restart would not finish it")
	fails(t, b.Delete(t.Context(), sb.ID), 500, "DOCKER::SANDBOX_DELETE_FAILED")
	b.runtime.SetHook(nil)
	b.clock.advance(time.Minute)
	b.nothingLeft()
}

// A client that hangs up does not leave half a delete.
func TestDeleteGoesOnWithoutItsClient(t *testing.T) {
	b := started(t)
	sb := b.create()
	ctx, cancel := context.WithCancel(t.Context())
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Delete {
			cancel()
		}
		return nil
	})
	require.NoError(t, b.Delete(ctx, sb.ID))
	b.nothingLeft()
}

func TestDeleteWithABrokenStore(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.ReconcileInterval = 5 * time.Millisecond })
	sb := b.create()
	b.store.failing(func(string, lifecycle.Record) error { return errors.New("disk full") })
	require.NoError(t, b.Delete(t.Context(), sb.ID), "a full disk keeps a sandbox alive")
	require.False(t, b.runtime.Has(sb.ID))
	_, err := b.Get(t.Context(), sb.ID)
	fails(t, err, 404, notFound)
	b.store.failing(nil)
	b.eventually(func() bool { b.clock.advance(time.Second); return len(b.store.all()) == 0 })
	b.nothingLeft()
}

func TestPauseAndResume(t *testing.T) {
	b := started(t)
	sb := b.create()
	fails(t, b.Resume(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_PAUSED")

	running := b.entry(sb.ID)
	require.NoError(t, b.Pause(t.Context(), sb.ID))
	shown, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, lifecycle.Paused, shown.Status.State)
	require.Equal(t, "CONTAINER_PAUSED", shown.Status.Reason)
	require.ErrorIs(t, context.Cause(running.Ctx), lifecycle.ErrNotRunning, "streams to a frozen sandbox hang")
	e := b.entry(sb.ID)
	require.Equal(t, lifecycle.Paused, e.State)
	_, ok := e.Dial(80)
	require.False(t, ok)
	fails(t, b.Pause(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_RUNNING")

	require.NoError(t, b.Resume(t.Context(), sb.ID))
	e = b.entry(sb.ID)
	require.Equal(t, lifecycle.Running, e.State)
	require.Greater(t, e.Generation, running.Generation)
	require.NoError(t, e.Ctx.Err())
	require.Same(t, running.LastTouch, e.LastTouch)

	require.NoError(t, b.runtime.End(t.Context(), sb.ID, 0))
	fails(t, b.Pause(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_RUNNING")
	fails(t, b.Resume(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_PAUSED")
}

func TestPauseThatFails(t *testing.T) {
	b := started(t)
	sb := b.create()
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Pause {
			return errors.New("no freezer cgroup")
		}
		return nil
	})
	fails(t, b.Pause(t.Context(), sb.ID), 500, "DOCKER::SANDBOX_PAUSE_FAILED")
	require.Equal(t, lifecycle.Running, b.entry(sb.ID).State, "the sandbox runs on and is not routed to")

	require.NoError(t, b.runtime.Remove(t.Context(), sb.ID))
	fails(t, b.Pause(t.Context(), sb.ID), 404, notFound)
	b.nothingLeft()
}

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
	b := started(t, func(o *lifecycle.Options) { o.MaxMetadata = 2 })
	sb := b.create(func(r *lifecycle.CreateRequest) { r.Metadata = map[string]string{"a": "", "b": ""} })
	_, err := b.PatchMetadata(t.Context(), sb.ID, map[string]*string{"c": text("")})
	fails(t, err, 400, "SANDBOX::INVALID_METADATA_LABEL")
	_, err = b.PatchMetadata(t.Context(), sb.ID, map[string]*string{"c": text(""), "a": nil})
	require.NoError(t, err)
}

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
		b.clock.advance(time.Second)
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
