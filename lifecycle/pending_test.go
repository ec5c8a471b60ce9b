package lifecycle_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

func async(r *lifecycle.CreateRequest) { r.Async = true }

func keepFailures(o *lifecycle.Options) { o.FailureTTL = time.Hour }

func (b *bed) state(id string) lifecycle.Status {
	b.t.Helper()
	sb, err := b.Get(b.t.Context(), id)
	require.NoError(b.t, err)
	return sb.Status
}

func (b *bed) reaches(id string, state lifecycle.State) lifecycle.Sandbox {
	b.t.Helper()
	b.becomes(id, state)
	sb, err := b.Get(b.t.Context(), id)
	require.NoError(b.t, err)
	return sb
}

func TestAPromisedSandboxIsThereAtOnceAndRunsLater(t *testing.T) {
	b := started(t)
	reached, proceed := b.hold(runtimefake.Create)
	ctx, leave := context.WithCancel(t.Context())
	requested := b.clock.Now().Truncate(time.Microsecond)
	sb, err := b.Create(ctx, request(async))
	require.NoError(t, err)
	leave() // the client has its answer
	<-reached

	require.Equal(t, lifecycle.Pending, sb.Status.State)
	require.Equal(t, requested.Add(time.Hour), sb.ExpiresAt, "the earliest that it can be")
	require.Equal(t, []string{"sleep", "inf"}, sb.Entrypoint)
	e := b.entry(sb.ID)
	require.Equal(t, lifecycle.Pending, e.State)
	require.NotNil(t, e.ExecdTokenSum, "its endpoints tell the token at once")
	require.False(t, b.ExecdToken(sb.ID).IsZero())
	_, ok := e.Dial(80)
	require.False(t, ok)
	record, ok := b.store.get(sb.ID)
	require.True(t, ok, "recorded before the answer")
	require.Equal(t, lifecycle.Creating, record.Phase)

	b.clock.advance(40 * time.Second) // a slow pull
	changed := make(chan error, 1)
	go func() { changed <- b.Directory().Await(t.Context(), sb.ID, e) }()
	close(proceed)
	require.NoError(t, <-changed, "requests that wait are woken")
	now := b.reaches(sb.ID, lifecycle.Running)
	require.Equal(t, requested.Add(time.Hour+40*time.Second), now.ExpiresAt, "from container start")
	at, armed := b.Armed(sb.ID)
	require.True(t, armed)
	require.Equal(t, now.ExpiresAt, at)
	_, ok = b.entry(sb.ID).Dial(80)
	require.True(t, ok)
}

func TestAPendingSandboxTellsHowFarItIs(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxConcurrent = 1 })
	reached, proceed := b.hold(runtimefake.Create)
	first, err := b.Create(t.Context(), request(async))
	require.NoError(t, err)
	<-reached
	second, err := b.Create(t.Context(), request(async))
	require.NoError(t, err)
	require.Equal(t, "CREATING", b.state(first.ID).Reason)
	require.Equal(t, "QUEUED", b.state(second.ID).Reason)
	answer := make(chan struct{})
	b.prober.set(func(context.Context, netip.AddrPort) error { <-answer; return nil })
	close(proceed)
	b.eventually(func() bool { return b.state(first.ID).Reason == "STARTING" })
	require.Equal(t, first.CreatedAt, b.state(first.ID).Since)
	close(answer)
	b.reaches(second.ID, lifecycle.Running)
}

func TestTheStepsOfARuntimeAreShown(t *testing.T) {
	b := started(t)
	reached, proceed := b.hold(runtimefake.Start)
	sb, err := b.Create(t.Context(), request(async, func(r *lifecycle.CreateRequest) { r.Image = runtimefake.AbsentImage }))
	require.NoError(t, err)
	b.eventually(func() bool { return b.state(sb.ID).Reason == "IMAGE_PULLING" })
	b.runtime.Pulled()
	<-reached
	require.Equal(t, "CREATING", b.state(sb.ID).Reason)
	close(proceed)
	b.reaches(sb.ID, lifecycle.Running)
}

func TestPromisedCreatesAreBounded(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxPendingCreates = 2 })
	reached, proceed := b.hold(runtimefake.Create)
	for range 2 {
		_, err := b.Create(t.Context(), request(async))
		require.NoError(t, err)
	}
	<-reached
	_, err := b.Create(t.Context(), request(async))
	fails(t, err, 429, "SANDBOX::TOO_MANY_SANDBOXES")
	_, err = b.Create(t.Context(), request(async, func(r *lifecycle.CreateRequest) { r.Client = "somebody else" }))
	require.NoError(t, err)
	close(proceed)
	b.eventually(func() bool {
		sb, err := b.Create(t.Context(), request(async))
		return err == nil && sb.ID != ""
	})
}

func TestADeleteEndsAPromisedCreate(t *testing.T) {
	b := started(t, keepFailures)
	b.prober.set(func(ctx context.Context, _ netip.AddrPort) error { <-ctx.Done(); return ctx.Err() })
	sb, err := b.Create(t.Context(), request(async))
	require.NoError(t, err)
	b.eventually(func() bool { return b.runtime.Has(sb.ID) })
	require.NoError(t, b.Delete(t.Context(), sb.ID))
	fails(t, b.Delete(t.Context(), sb.ID), 404, "DOCKER::SANDBOX_NOT_FOUND")
	b.nothingLeft()
}

func TestWhatAPendingSandboxCannotDoYetIsRefusedAtOnce(t *testing.T) {
	b := started(t)
	reached, proceed := b.hold(runtimefake.Create)
	defer close(proceed)
	sb, err := b.Create(t.Context(), request(async))
	require.NoError(t, err)
	<-reached
	fails(t, b.Pause(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_RUNNING")
	_, err = b.Renew(t.Context(), sb.ID, b.clock.Now().Add(time.Hour))
	fails(t, err, 409, "DOCKER::SANDBOX_NOT_RUNNING")
	_, err = b.PatchMetadata(t.Context(), sb.ID, nil)
	fails(t, err, 409, "DOCKER::SANDBOX_NOT_RUNNING")
}

func TestAPromiseThatCannotBeKeptIsShownAsFailedForAWhile(t *testing.T) {
	b := started(t, keepFailures, func(o *lifecycle.Options) { o.MaxSandboxes = 1 })
	sb, err := b.Create(t.Context(), request(async, func(r *lifecycle.CreateRequest) { r.Image = runtimefake.RefusedImage }))
	require.NoError(t, err)
	b.reaches(sb.ID, lifecycle.Failed)
	check := func() {
		t.Helper()
		failed := b.state(sb.ID)
		require.Equal(t, lifecycle.Failed, failed.State)
		require.Equal(t, "PROVISIONING_ERROR", failed.Reason)
		require.Equal(t, "The image cannot be found.", failed.Message)
		require.True(t, b.runtime.Empty())
		require.Equal(t, lifecycle.Failed, b.entry(sb.ID).State)
		fails(t, b.Pause(t.Context(), sb.ID), 409, "DOCKER::SANDBOX_NOT_RUNNING")
	}
	b.eventually(func() bool { _, armed := b.Armed(sb.ID); return armed })
	check()
	b.advance(59 * time.Minute)
	b.restart()
	check()
	require.NoError(t, b.Reconcile(t.Context()))
	check()
	b.create() // what failed takes no place
	b.advance(2 * time.Minute)
	b.eventually(func() bool { _, err := b.Get(t.Context(), sb.ID); return err != nil })
	_, found := b.Directory().Lookup(sb.ID)
	require.False(t, found)
	_, found = b.store.get(sb.ID)
	require.False(t, found)
}

func TestAFailedSandboxCanBeDeleted(t *testing.T) {
	b := started(t, keepFailures)
	sb, err := b.Create(t.Context(), request(async, func(r *lifecycle.CreateRequest) { r.Image = runtimefake.RefusedImage }))
	require.NoError(t, err)
	b.reaches(sb.ID, lifecycle.Failed)
	require.NoError(t, b.Delete(t.Context(), sb.ID))
	b.nothingLeft()
}

func TestFailuresAreNotKeptWithoutATime(t *testing.T) {
	b := started(t)
	_, err := b.Create(t.Context(), request(async, func(r *lifecycle.CreateRequest) { r.Image = runtimefake.RefusedImage }))
	require.NoError(t, err)
	b.nothingLeft()
}

func TestTheOldestFailuresMakeRoom(t *testing.T) {
	b := started(t, keepFailures, func(o *lifecycle.Options) { o.MaxPendingCreates = 2000 })
	var first string
	for i := range lifecycle.MaxUnmade + 1 {
		sb, err := b.Create(t.Context(), request(async, func(r *lifecycle.CreateRequest) { r.Image = runtimefake.RefusedImage }))
		require.NoError(t, err)
		if i == 0 {
			first = sb.ID
			b.reaches(first, lifecycle.Failed)
		}
	}
	b.eventually(func() bool { _, err := b.Get(t.Context(), first); return err != nil })
	b.eventually(func() bool {
		list, err := b.List(t.Context(), lifecycle.Filter{States: []string{"failed"}}, lifecycle.Page{Number: 1, Size: 1})
		return err == nil && list.Total == lifecycle.MaxUnmade
	})
}

// A backend that refuses to remove what a failed create left is asked again; the failure
// is shown meanwhile.
func TestLeftoversOfAPromiseAreRemovedLater(t *testing.T) {
	b := started(t, keepFailures)
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		if verb == runtimefake.Start || verb == runtimefake.Delete {
			return errors.New("engine is down")
		}
		return nil
	})
	sb, err := b.Create(t.Context(), request(async))
	require.NoError(t, err)
	b.reaches(sb.ID, lifecycle.Failed)
	b.eventually(func() bool { _, armed := b.Armed(sb.ID); return armed })
	require.False(t, b.runtime.Empty())
	b.runtime.SetHook(nil)
	b.advance(2 * time.Second)
	b.eventually(b.runtime.Empty)
	require.Equal(t, "PROVISIONING_ERROR", b.state(sb.ID).Reason)
}

// crashed is the record that a process leaves when it dies during a promised create.
func crashed(b *bed, id string) lifecycle.Record {
	b.t.Helper()
	created := b.clock.Now().Add(-time.Minute).UTC().Truncate(time.Microsecond)
	r := lifecycle.Record{ID: id, Phase: lifecycle.Creating, Promised: true, Image: "i", CreatedAt: created, ExpiresAt: created.Add(time.Hour)}
	require.NoError(b.t, b.store.Put(b.t.Context(), r))
	return r
}

func TestARestartGoesOnWithAPromiseWhoseContainerRuns(t *testing.T) {
	b := newBed(t, keepFailures)
	require.NoError(t, b.runtime.Place(placed("some-sandbox")))
	crashed(b, "some-sandbox")
	answer := make(chan struct{})
	b.prober.set(func(context.Context, netip.AddrPort) error { <-answer; return nil })
	begun := b.clock.Now()
	require.NoError(t, b.Start(t.Context()))
	require.Equal(t, lifecycle.Pending, b.state("some-sandbox").State)
	require.Equal(t, lifecycle.Pending, b.entry("some-sandbox").State)
	close(answer)
	sb := b.reaches("some-sandbox", lifecycle.Running)
	require.Equal(t, begun.Add(time.Hour).Truncate(time.Microsecond), sb.ExpiresAt, "from container start")
}

func TestARestartShowsABrokenPromiseAsFailed(t *testing.T) {
	for name, place := range map[string]func(*bed) error{
		"nothing": func(*bed) error { return nil },
		"half":    func(b *bed) error { return b.runtime.PlaceHalf(placed("some-sandbox")) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, keepFailures)
			require.NoError(t, place(b))
			crashed(b, "some-sandbox")
			require.NoError(t, b.Start(t.Context()))
			sb := b.reaches("some-sandbox", lifecycle.Failed)
			require.Equal(t, "PROVISIONING_ERROR", sb.Status.Reason)
			require.Contains(t, sb.Status.Message, "restarted")
			b.eventually(b.runtime.Empty)
			b.eventually(func() bool { _, armed := b.Armed(sb.ID); return armed })
			b.advance(2 * time.Hour)
			b.nothingLeft()
		})
	}
}

func TestStoppingLeavesAStartedPromiseToTheNextProcess(t *testing.T) {
	b := started(t, keepFailures)
	b.prober.set(func(ctx context.Context, _ netip.AddrPort) error { <-ctx.Done(); return ctx.Err() })
	sb, err := b.Create(t.Context(), request(async))
	require.NoError(t, err)
	b.eventually(func() bool { return b.state(sb.ID).Reason == "STARTING" })
	b.close(b.Service)
	require.True(t, b.runtime.Has(sb.ID))
	b.prober.set(nil)
	b.renew()
	b.start()
	b.reaches(sb.ID, lifecycle.Running)
}

func TestStoppingEndsAPromiseThatHasNotStarted(t *testing.T) {
	b := started(t, keepFailures)
	b.runtime.SetHook(func(ctx context.Context, v runtimefake.Verb, _ string) error {
		if v == runtimefake.Start {
			<-ctx.Done()
		}
		return nil
	})
	sb, err := b.Create(t.Context(), request(async))
	require.NoError(t, err)
	b.eventually(func() bool { return b.runtime.Has(sb.ID) })
	b.close(b.Service)
	require.True(t, b.runtime.Empty())
	b.runtime.SetHook(nil)
	b.renew()
	b.start()
	status := b.state(sb.ID)
	require.Equal(t, lifecycle.Failed, status.State)
	require.Contains(t, status.Message, "stopping")
}
