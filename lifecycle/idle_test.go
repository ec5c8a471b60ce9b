package lifecycle_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
)

const (
	renewKey    = "access.renew.extend.seconds"
	renewMaxKey = "access.renew.max.seconds"
	idleKey     = "access.idle.timeout.seconds"
)

// extensions are pairs of key and value.
func extensions(pairs ...string) change {
	return func(r *lifecycle.CreateRequest) {
		r.Extensions = map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			r.Extensions[pairs[i]] = pairs[i+1]
		}
	}
}

// micro is a time as it is stored.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// deadline requires when a sandbox will be removed.
func (b *bed) deadline(id string, at time.Time) {
	b.t.Helper()
	armed, ok := b.Armed(id)
	require.True(b.t, ok, "no deadline")
	require.Equal(b.t, micro(at), armed)
}

func (b *bed) access(id string, a lifecycle.Access) lifecycle.Outcome {
	b.t.Helper()
	x, err := b.ExtendOnAccess(b.t.Context(), id, a)
	require.NoError(b.t, err)
	return x.Outcome
}

// gone waits until a sandbox was removed.
func (b *bed) gone(id string) {
	b.t.Helper()
	b.eventually(func() bool { _, err := b.Get(b.t.Context(), id); return err != nil && !b.runtime.Has(id) })
}

func TestIdleSandboxesAreRemoved(t *testing.T) {
	b := started(t)
	created := b.clock.Now()
	sb := b.create(extension(idleKey, " 60 "))
	manual := b.create(extension(idleKey, "60"), timeout(0))
	soon := b.create(extension(idleKey, "60"), timeout(30*time.Second))
	require.Equal(t, micro(created.Add(time.Hour)), sb.ExpiresAt, "clients are told of the expiry alone")
	require.True(t, manual.ExpiresAt.IsZero())
	b.deadline(sb.ID, created.Add(time.Minute))
	b.deadline(manual.ID, created.Add(time.Minute))
	b.deadline(soon.ID, created.Add(30*time.Second))
	require.Equal(t, time.Minute, b.entry(sb.ID).IdleTimeout)

	// Without renewal by access, and though it did not opt in, a used one lives.
	b.clock.step(50 * time.Second)
	require.Equal(t, lifecycle.Deferred, b.access(sb.ID, lifecycle.Access{Unseen: 6 * time.Second}))
	b.deadline(sb.ID, b.clock.Now().Add(66*time.Second))
	record, _ := b.store.get(sb.ID)
	require.Equal(t, micro(b.clock.Now().Add(66*time.Second)), record.IdleUntil, "it is not stored")
	require.Equal(t, sb.ExpiresAt, record.ExpiresAt)
	require.Equal(t, lifecycle.Unchanged, b.access(sb.ID, lifecycle.Access{}), "an access shortened the life")

	b.advance(10 * time.Second)
	b.gone(manual.ID)
	b.gone(soon.ID)
	b.advance(56*time.Second - time.Microsecond)
	require.Never(t, func() bool { return !b.runtime.Has(sb.ID) }, 20*time.Millisecond, time.Millisecond)
	b.advance(time.Microsecond)
	b.gone(sb.ID)
	b.nothingLeft()
}

func TestTheExpiryWinsOverUse(t *testing.T) {
	b := started(t)
	sb := b.create(extension(idleKey, "60"), timeout(90*time.Second))
	for range 9 {
		b.advance(10*time.Second - time.Microsecond)
		b.access(sb.ID, lifecycle.Access{Extend: true})
	}
	b.advance(time.Second)
	b.gone(sb.ID)
}

func TestIdleTimeAfterOtherSignsOfUse(t *testing.T) {
	b := started(t)
	sb := b.create(extension(idleKey, "60"))
	b.clock.step(40 * time.Second)
	_, err := b.Renew(t.Context(), sb.ID, b.clock.Now().Add(2*time.Hour))
	require.NoError(t, err)
	b.deadline(sb.ID, b.clock.Now().Add(time.Minute))

	b.clock.step(40 * time.Second)
	require.NoError(t, b.Pause(t.Context(), sb.ID))
	require.Equal(t, lifecycle.Ineligible, b.access(sb.ID, accessed), "a paused sandbox is not used")
	b.deadline(sb.ID, b.clock.Now().Add(20*time.Second))
	require.NoError(t, b.Resume(t.Context(), sb.ID))
	b.deadline(sb.ID, b.clock.Now().Add(time.Minute))
}

func TestIdleTimeSurvivesARestart(t *testing.T) {
	b := started(t)
	used, unused := b.create(extension(idleKey, "600")), b.create(extension(idleKey, "600"))
	b.clock.step(300 * time.Second)
	b.access(used.ID, lifecycle.Access{})
	until := b.clock.Now().Add(600 * time.Second)
	b.clock.step(300 * time.Second)
	b.restart()
	b.deadline(used.ID, until)
	b.gone(unused.ID)

	// The record is lost: the labels know the rules, and the time begins anew.
	require.NoError(t, b.store.Delete(t.Context(), used.ID))
	b.restart()
	b.deadline(used.ID, b.clock.Now().Add(600*time.Second))
	record, _ := b.store.get(used.ID)
	require.Equal(t, 10*time.Minute, record.IdleTimeout)
}

func TestTheSandboxesOwnBoundOfLife(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.MaxTimeout = 2 * time.Hour })
	bounded := b.create(extensions(renewKey, "600", renewMaxKey, "1800"), timeout(5*time.Minute))
	beyond := b.create(extensions(renewKey, "600", renewMaxKey, "86400"), timeout(5*time.Minute))
	manual := b.create(extensions(idleKey, "600", renewMaxKey, "1800"), timeout(0))
	created := bounded.CreatedAt
	for range 23 {
		b.clock.step(time.Minute)
		for _, sb := range []lifecycle.Sandbox{bounded, beyond, manual} {
			b.access(sb.ID, accessed)
		}
	}
	b.deadline(bounded.ID, created.Add(1800*time.Second))
	b.deadline(manual.ID, manual.CreatedAt.Add(1800*time.Second))
	b.deadline(beyond.ID, b.clock.Now().Add(600*time.Second))
	for range 90 { // not beyond that bound
		b.clock.step(time.Minute)
		b.access(beyond.ID, accessed)
	}
	b.deadline(beyond.ID, beyond.CreatedAt.Add(2*time.Hour)) // the server's bound is narrower

	at := micro(b.clock.Now().Add(10 * time.Hour))
	got, err := b.Renew(t.Context(), beyond.ID, at)
	require.NoError(t, err, "the API's renew is not bound")
	require.Equal(t, at, got)
	require.Equal(t, lifecycle.Unchanged, b.access(beyond.ID, accessed))
	b.deadline(beyond.ID, at)
}

// The API's renew is not bound, so the bound must not come back by way of the idle time.
func TestTheBoundDoesNotEndASandboxThatTheAPIRenewed(t *testing.T) {
	b := started(t)
	sb := b.create(extensions(idleKey, "60", renewMaxKey, "60"), timeout(time.Hour))
	for range 10 {
		b.clock.step(30 * time.Second)
		b.access(sb.ID, accessed)
	}
	b.deadline(sb.ID, b.clock.Now().Add(time.Minute))
}

func TestAnAccessThatCannotBeStoredMovesNothing(t *testing.T) {
	b := started(t)
	sb := b.create(extensions(renewKey, "600", idleKey, "60"), timeout(5*time.Minute))
	created := b.clock.Now()
	b.clock.step(30 * time.Second)
	b.store.failing(func(string, lifecycle.Record) error { return errors.New("disk full") })
	_, err := b.ExtendOnAccess(t.Context(), sb.ID, accessed)
	fails(t, err, 500, "GENERAL::UNKNOWN_ERROR")
	b.deadline(sb.ID, created.Add(time.Minute))
	b.store.failing(nil)
	require.Equal(t, lifecycle.Renewed, b.access(sb.ID, accessed))
	shown, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, micro(b.clock.Now().Add(600*time.Second)), shown.ExpiresAt)
}

// Accesses and the timer meet in the same moment, many times: the sandbox is either gone,
// or lives with the deadline that is stored and armed.
func TestAnAccessRacesTheTimer(t *testing.T) {
	for name, opt := range map[string]struct {
		change []func(*lifecycle.CreateRequest)
		life   time.Duration
	}{
		"expiry": {[]func(*lifecycle.CreateRequest){extension(renewKey, "300"), timeout(time.Minute)}, 300 * time.Second},
		"idle":   {[]func(*lifecycle.CreateRequest){extension(idleKey, "60"), timeout(time.Hour)}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			b := started(t)
			won := 0
			for range 100 {
				sb := b.create(opt.change...)
				e := b.entry(sb.ID)
				b.advance(time.Minute - time.Microsecond)
				var wg sync.WaitGroup
				var err error
				wg.Go(func() { b.advance(time.Microsecond) })
				wg.Go(func() { _, err = b.ExtendOnAccess(t.Context(), sb.ID, accessed) })
				wg.Wait()
				if err != nil {
					fails(t, err, 404, notFound)
					b.gone(sb.ID)
					_, armed := b.Armed(sb.ID)
					require.False(t, armed)
					_, stored := b.store.get(sb.ID)
					require.False(t, stored)
					require.ErrorIs(t, e.Ended(), lifecycle.ErrGone)
					continue
				}
				won++
				b.eventually(func() bool {
					at, armed := b.Armed(sb.ID)
					left := at.Sub(b.clock.Now())
					record, _ := b.store.get(sb.ID)
					until := record.ExpiresAt
					if name == "idle" {
						until = record.IdleUntil
					}
					return armed && left > opt.life-time.Millisecond && at.Equal(until)
				})
				require.NoError(t, e.Ended(), "its connections were cut")
				require.True(t, b.runtime.Has(sb.ID))
				require.NoError(t, b.Delete(t.Context(), sb.ID))
			}
			require.Positive(t, won, "the race was never won by an access")
			b.nothingLeft()
		})
	}
}
