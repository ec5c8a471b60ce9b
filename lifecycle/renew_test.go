package lifecycle_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

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

// accessed is an access while renewal is on.
var accessed = lifecycle.Access{Extend: true}

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
		got, err := b.ExtendOnAccess(t.Context(), sb.ID, accessed)
		require.NoError(t, err)
		require.Equal(t, sb.ExpiresAt, got.ExpiresAt)
	}
	require.Zero(t, puts, "nothing changed, and it was written")

	got, err := b.ExtendOnAccess(t.Context(), short.ID, accessed)
	require.NoError(t, err)
	want := b.clock.Now().Add(10 * time.Minute).UTC().Truncate(time.Microsecond)
	require.Equal(t, lifecycle.Extension{Outcome: lifecycle.Renewed, ExpiresAt: want}, got)
	record, _ := b.store.get(short.ID)
	require.Equal(t, want, record.ExpiresAt)

	// The total life is bounded for touches.
	life := short.CreatedAt.Add(2 * time.Hour)
	for b.clock.Now().Before(life.Add(-5 * time.Minute)) {
		b.clock.step(5 * time.Minute)
		got, err = b.ExtendOnAccess(t.Context(), short.ID, accessed)
		require.NoError(t, err)
	}
	require.Equal(t, lifecycle.Extension{Outcome: lifecycle.Unchanged, ExpiresAt: life}, got)

	b.store.failing(func(string, lifecycle.Record) error { return errors.New("disk full") })
	_, err = b.Renew(t.Context(), short.ID, b.clock.Now().Add(time.Minute))
	require.Error(t, err)
}
