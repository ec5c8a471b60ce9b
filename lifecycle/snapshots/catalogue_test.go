package snapshots_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
	"github.com/opensandbox-edge/edge/lifecycle/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend keeps artifacts in memory, and takes them as the test says.
type backend struct {
	mu     sync.Mutex
	images map[string]bool
	take   func(ctx context.Context, id string) error
	remove error
}

func (b *backend) TakeSnapshot(ctx context.Context, _, id string) (string, error) {
	b.mu.Lock()
	take := b.take
	b.mu.Unlock()
	if take != nil {
		if err := take(ctx, id); err != nil {
			return "", err
		}
	}
	b.put(id)
	return "image:" + id, nil
}

func (b *backend) put(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.images[id] = true
}

func (b *backend) FindSnapshot(_ context.Context, id string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.images[id] {
		return "image:" + id, nil
	}
	return "", nil
}

func (b *backend) RemoveSnapshot(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.remove == nil {
		delete(b.images, id)
	}
	return b.remove
}

func (b *backend) refuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.remove = err
}

func (b *backend) ListSnapshots(context.Context) (ids []string, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id := range b.images {
		ids = append(ids, id)
	}
	return ids, nil
}

// source is a service with one sandbox.
type source struct{ state lifecycle.State }

func (s source) Get(_ context.Context, id string) (lifecycle.Sandbox, error) {
	return lifecycle.Sandbox{ID: id, Status: lifecycle.Status{State: s.state}}, nil
}

func (s source) Hold(ctx context.Context, _ string, do func(context.Context) error) error {
	return do(ctx)
}

type bed struct {
	*snapshots.Catalogue
	t       *testing.T
	backend *backend
	store   *store.Store
}

func newBed(t *testing.T) *bed {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "edge.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return &bed{t: t, store: s, backend: &backend{images: map[string]bool{}}}
}

func (b *bed) start(change ...func(*snapshots.Options)) *bed {
	o := snapshots.Options{Store: b.store, Snapshotter: b.backend, Sweep: time.Millisecond, Grace: time.Millisecond}
	for _, f := range change {
		f(&o)
	}
	c, err := snapshots.Open(b.t.Context(), o)
	require.NoError(b.t, err)
	c.Start(source{lifecycle.Running})
	b.Catalogue = c
	b.t.Cleanup(c.Close)
	return b
}

// seed writes a row as another process has left it.
func (b *bed) seed(id string, state snapshots.State, image string) {
	require.NoError(b.t, b.store.AddSnapshot(b.t.Context(), snapshots.Snapshot{
		ID: id, SandboxID: "s", Image: image, CreatedAt: time.Unix(1, 0), Status: snapshots.Status{State: state, Since: time.Unix(1, 0)},
	}))
}

func (b *bed) until(id string, state snapshots.State) (s snapshots.Snapshot) {
	b.t.Helper()
	require.Eventually(b.t, func() (done bool) {
		var err error
		s, err = b.Get(b.t.Context(), id)
		return err == nil && s.Status.State == state
	}, time.Minute, time.Millisecond)
	return s
}

func (b *bed) add() snapshots.Snapshot {
	b.t.Helper()
	s, err := b.Add(b.t.Context(), "s", "first")
	require.NoError(b.t, err)
	return s
}

func requireCode(t *testing.T, err error, status int, code string) {
	t.Helper()
	var typed *apierror.Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, code, typed.Code)
	require.Equal(t, status, typed.Status)
}

func TestASnapshotIsTakenRestoredAndRemoved(t *testing.T) {
	b := newBed(t).start()
	s := b.add()
	require.Equal(t, snapshots.Creating, s.Status.State)
	require.Equal(t, "snapshot_accepted", s.Status.Reason)
	ready := b.until(s.ID, snapshots.Ready)
	require.Equal(t, "snapshot_runtime_ready", ready.Status.Reason)
	require.Equal(t, s.CreatedAt, ready.CreatedAt)
	image, err := b.RestoreImage(t.Context(), s.ID)
	require.NoError(t, err)
	require.Equal(t, "image:"+s.ID, image)

	require.NoError(t, b.Remove(t.Context(), s.ID))
	require.Empty(t, b.backend.images)
	_, err = b.RestoreImage(t.Context(), s.ID)
	requireCode(t, err, 404, "SNAPSHOT::NOT_FOUND")
	requireCode(t, b.Remove(t.Context(), s.ID), 404, "SNAPSHOT::NOT_FOUND")
}

func TestWhatIsBeingTakenIsNeitherRestoredNorRemoved(t *testing.T) {
	b := newBed(t)
	done := make(chan struct{})
	b.backend.take = func(context.Context, string) error { <-done; return nil }
	b.start()
	s := b.add()
	_, err := b.RestoreImage(t.Context(), s.ID)
	requireCode(t, err, 409, "SNAPSHOT::NOT_READY")
	requireCode(t, b.Remove(t.Context(), s.ID), 409, "SNAPSHOT::INVALID_STATE")
	close(done)
	b.until(s.ID, snapshots.Ready)
}

func TestTheStateOfTheSourceDecides(t *testing.T) {
	for state, want := range map[lifecycle.State]bool{
		lifecycle.Running: true, lifecycle.Paused: true, lifecycle.Pending: false, lifecycle.Terminated: false, lifecycle.Stopping: false,
	} {
		require.Equal(t, want, snapshots.Takable(state), state)
	}
}

func TestTwoAreTakenAtOnce(t *testing.T) {
	b := newBed(t)
	begun, done := make(chan struct{}, 8), make(chan struct{})
	b.backend.take = func(context.Context, string) error { begun <- struct{}{}; <-done; return nil }
	b.start()
	var ids []string
	for range 4 {
		ids = append(ids, b.add().ID)
	}
	<-begun
	<-begun
	require.Empty(t, begun)
	close(done)
	for _, id := range ids {
		b.until(id, snapshots.Ready)
	}
}

func TestAnArtifactThatComesAfterItsTimeIsRemoved(t *testing.T) {
	b := newBed(t)
	b.backend.take = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
	b.start(func(o *snapshots.Options) { o.Timeout = 20 * time.Millisecond })
	first := b.until(b.add().ID, snapshots.Failed)
	require.Equal(t, "snapshot_runtime_timeout", first.Status.Reason)
	second := b.until(b.add().ID, snapshots.Failed)
	require.NoError(t, b.Remove(t.Context(), second.ID))
	b.backend.put(first.ID)
	b.backend.put(second.ID) // whose row is gone
	b.backend.put("another's")
	require.Eventually(t, func() bool {
		left, _ := b.backend.ListSnapshots(t.Context())
		return len(left) == 1 && left[0] == "another's"
	}, time.Minute, time.Millisecond)
}

func TestAFailureHidesItsCause(t *testing.T) {
	b := newBed(t)
	b.backend.take = func(context.Context, string) error { return errors.New("/var/lib/secret") }
	b.start()
	s := b.until(b.add().ID, snapshots.Failed)
	require.Equal(t, "snapshot_runtime_failed", s.Status.Reason)
	require.NotContains(t, s.Status.Message, "secret")
}

func TestASnapshotInUseStaysWhatItWas(t *testing.T) {
	b := newBed(t).start()
	before := b.until(b.add().ID, snapshots.Ready)
	b.backend.refuse(snapshots.ErrInUse)
	requireCode(t, b.Remove(t.Context(), before.ID), 409, "SNAPSHOT::DELETE_CONFLICT")
	after, err := b.Get(t.Context(), before.ID)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestADeleteThatFailedIsRetried(t *testing.T) {
	b := newBed(t).start()
	s := b.until(b.add().ID, snapshots.Ready)
	b.backend.refuse(errors.New("the engine is away"))
	require.Error(t, b.Remove(t.Context(), s.ID))
	b.until(s.ID, snapshots.Deleting)
	b.backend.refuse(nil)
	require.Eventually(t, func() bool {
		_, err := b.store.Snapshot(t.Context(), s.ID)
		return errors.Is(err, snapshots.ErrNoRow)
	}, time.Minute, time.Millisecond)
	require.Empty(t, b.backend.images)
}

func TestARestartSettlesWhatWasHalfDone(t *testing.T) {
	b := newBed(t)
	b.seed("made", snapshots.Creating, "")
	b.seed("lost", snapshots.Creating, "")
	b.seed("leaving", snapshots.Deleting, "image:leaving")
	b.backend.images["made"], b.backend.images["leaving"] = true, true
	b.start()
	made := b.until("made", snapshots.Ready)
	require.Equal(t, "snapshot_recovery_ready", made.Status.Reason)
	require.Equal(t, "image:made", made.Image)
	require.Equal(t, "snapshot_recovery_missing_image", b.until("lost", snapshots.Failed).Status.Reason)
	_, err := b.Get(t.Context(), "leaving")
	requireCode(t, err, 404, "SNAPSHOT::NOT_FOUND")
	found, _ := b.backend.ListSnapshots(t.Context())
	require.Equal(t, []string{"made"}, found)
}

func TestClosingWaitsForAWhile(t *testing.T) {
	b := newBed(t)
	b.backend.take = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
	b.start()
	s := b.add()
	b.Close() // within the grace, or the test never ends
	left, err := b.store.Snapshot(t.Context(), s.ID)
	require.NoError(t, err)
	require.Equal(t, snapshots.Creating, left.Status.State, "the next start settles it")
	_, err = b.Add(t.Context(), "s", "")
	requireCode(t, err, 503, "GENERAL::SERVER_OVERLOADED")
}

func TestListsAreFilteredAndPaged(t *testing.T) {
	b := newBed(t)
	b.seed("a", snapshots.Ready, "i")
	b.seed("b", snapshots.Failed, "")
	b.seed("c", snapshots.Ready, "i")
	require.NoError(t, b.store.AddSnapshot(t.Context(), snapshots.Snapshot{ID: "d", SandboxID: "t", Name: "first", Image: "i", Status: snapshots.Status{State: snapshots.Ready}}))
	b.start()
	for _, tc := range []struct {
		filter     snapshots.Filter
		page, size int
		want       []string
		total      int
	}{
		{snapshots.Filter{}, 1, 3, []string{"c", "b", "a"}, 4},
		{snapshots.Filter{}, 2, 3, []string{"d"}, 4},
		{snapshots.Filter{}, 1 << 30, 200, nil, 4},
		{snapshots.Filter{States: []string{"Ready", "Creating"}}, 1, 9, []string{"c", "a", "d"}, 3},
		{snapshots.Filter{Name: "first"}, 1, 9, []string{"d"}, 1},
		{snapshots.Filter{Name: "First"}, 1, 9, nil, 0},
		{snapshots.Filter{Name: "fir"}, 1, 9, nil, 0},
		{snapshots.Filter{Name: "first", States: []string{"Failed"}}, 1, 9, nil, 0},
		{snapshots.Filter{States: []string{"ready"}}, 1, 9, nil, 0},
		{snapshots.Filter{SandboxID: "s"}, 1, 9, []string{"c", "b", "a"}, 3},
		{snapshots.Filter{SandboxID: "' OR 1"}, 1, 9, nil, 0},
	} {
		found, total, err := b.List(t.Context(), tc.filter, tc.page, tc.size)
		require.NoError(t, err)
		var ids []string
		for _, s := range found {
			ids = append(ids, s.ID)
		}
		require.Equal(t, tc.want, ids, "%+v", tc)
		require.Equal(t, tc.total, total)
	}
}
