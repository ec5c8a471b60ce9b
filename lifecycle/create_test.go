package lifecycle_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

func TestCreate(t *testing.T) {
	b := started(t)
	var spec string
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, id string) error {
		if verb == runtimefake.Create {
			r, ok := b.store.get(id)
			require.True(t, ok, "the backend was called before the record was stored")
			require.Equal(t, lifecycle.Creating, r.Phase)
			b.advance(40 * time.Second) // a slow pull, which the timeout must not pay for
			spec = id
		}
		return nil
	})
	b.prober.set(func(context.Context, netip.AddrPort) error {
		b.advance(3 * time.Second) // the container runs, and its time with it
		b.eventually(b.runtime.Delivered)
		return nil
	})
	requested := b.clock.Now()
	sb := b.create(func(r *lifecycle.CreateRequest) {
		r.Extensions = map[string]string{"access.renew.extend.seconds": " 600 ", "other": "dropped"}
		r.Platform = &lifecycle.Platform{OS: " Linux", Arch: "AMD64"}
	})

	require.Equal(t, spec, sb.ID)
	require.Equal(t, uuid.Version(4), uuid.MustParse(sb.ID).Version())
	require.Equal(t, lifecycle.Running, sb.Status.State)
	require.Equal(t, "python:3.11", sb.Image)
	require.Equal(t, []string{"sleep", "inf"}, sb.Entrypoint)
	require.Equal(t, map[string]string{"team": "ml"}, sb.Metadata)
	require.Equal(t, &lifecycle.Platform{OS: "linux", Arch: "amd64"}, sb.Platform)
	require.Equal(t, requested.Truncate(time.Microsecond), sb.CreatedAt)
	require.Equal(t, requested.Add(40*time.Second+time.Hour).Truncate(time.Microsecond), sb.ExpiresAt, "from container start")

	got, err := b.Get(t.Context(), sb.ID)
	require.NoError(t, err)
	require.Equal(t, sb, got)
	record, ok := b.store.get(sb.ID)
	require.True(t, ok)
	require.Equal(t, lifecycle.Live, record.Phase)
	require.Equal(t, sb.ExpiresAt, record.ExpiresAt)
	require.Equal(t, 10*time.Minute, record.RenewExtend)
	at, armed := b.Armed(sb.ID)
	require.True(t, armed)
	require.Equal(t, sb.ExpiresAt, at)

	e := b.entry(sb.ID)
	require.Equal(t, lifecycle.Running, e.State)
	require.Equal(t, 10*time.Minute, e.RenewExtend)
	sum := sha256.Sum256([]byte(b.ExecdToken(sb.ID).Reveal()))
	require.Equal(t, &sum, e.ExecdTokenSum)
	require.NoError(t, e.Ended())
	require.Never(t, func() bool { return b.runtime.Count(runtimefake.Inspect) > 0 }, 30*time.Millisecond, time.Millisecond,
		"a create needs no look at the backend, and its own events no look after it")
}

func TestCreateWithoutTimeout(t *testing.T) {
	b := started(t)
	sb := b.create(func(r *lifecycle.CreateRequest) { r.Timeout = 0 })
	require.True(t, sb.ExpiresAt.IsZero())
	_, armed := b.Armed(sb.ID)
	require.False(t, armed)
}

func TestCreateWithoutToken(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.WithoutExecdToken = true })
	sb := b.create()
	require.Nil(t, b.entry(sb.ID).ExecdTokenSum)
	require.True(t, b.ExecdToken(sb.ID).IsZero())
}

func TestTheBackendLearnsOnlyTheTokensHash(t *testing.T) {
	b := started(t)
	sb := b.create()
	sum := sha256.Sum256([]byte(b.ExecdToken(sb.ID).Reveal()))
	spec, ok := b.runtime.Spec(sb.ID)
	require.True(t, ok)
	require.Equal(t, hex.EncodeToString(sum[:]), spec.ExecdTokenSHA256)
	require.NotContains(t, fmt.Sprintf("%+v", spec), b.ExecdToken(sb.ID).Reveal())
	require.True(t, b.ExecdToken("unknown").IsZero())
}

// Every step of a create fails once, by itself and because the client leaves.
func TestCreateFailsAtEachStep(t *testing.T) {
	boom := errors.New("boom")
	onPut := func(phase lifecycle.Phase, fail func() error) func(*bed) {
		return func(b *bed) {
			b.store.failing(func(op string, r lifecycle.Record) error {
				if op == "put" && r.Phase == phase {
					return fail()
				}
				return nil
			})
		}
	}
	onVerb := func(verb runtimefake.Verb, fail func() error) func(*bed) {
		return func(b *bed) {
			b.runtime.SetHook(func(_ context.Context, v runtimefake.Verb, _ string) error {
				if v == verb {
					return fail()
				}
				return nil
			})
		}
	}
	onPing := func(fail func() error) func(*bed) {
		return func(b *bed) {
			b.prober.set(func(ctx context.Context, _ netip.AddrPort) error { _ = fail(); <-ctx.Done(); return ctx.Err() })
		}
	}
	const short = 30 * time.Millisecond
	steps := []struct {
		name   string
		inject func(fail func() error) func(*bed)
		code   string
		ready  time.Duration // of ReadyTimeout
	}{
		{"record creating", func(f func() error) func(*bed) { return onPut(lifecycle.Creating, f) }, "GENERAL::UNKNOWN_ERROR", patience},
		{"backend create", func(f func() error) func(*bed) { return onVerb(runtimefake.Create, f) }, "DOCKER::SANDBOX_START_FAILED", patience},
		{"backend start", func(f func() error) func(*bed) { return onVerb(runtimefake.Start, f) }, "DOCKER::SANDBOX_START_FAILED", patience},
		{"execd", onPing, "DOCKER::SANDBOX_START_FAILED", short},
		{"record live", func(f func() error) func(*bed) { return onPut(lifecycle.Live, f) }, "GENERAL::UNKNOWN_ERROR", patience},
	}
	for _, step := range steps {
		t.Run(step.name+" fails", func(t *testing.T) {
			b := started(t, func(o *lifecycle.Options) { o.ReadyTimeout = step.ready })
			step.inject(func() error { return boom })(b)
			_, err := b.Create(t.Context(), request())
			e := fails(t, err, 500, step.code)
			require.NotContains(t, e.Message, "boom")
			b.nothingLeft()
		})
		t.Run(step.name+" while the client leaves", func(t *testing.T) {
			b := started(t)
			ctx, cancel := context.WithCancel(t.Context())
			step.inject(func() error { cancel(); return ctx.Err() })(b)
			_, err := b.Create(ctx, request())
			require.ErrorIs(t, err, context.Canceled)
			b.nothingLeft()
		})
	}
}

func TestCreateRefusedByTheBackend(t *testing.T) {
	b := started(t)
	_, err := b.Create(t.Context(), request(func(r *lifecycle.CreateRequest) { r.Image = runtimefake.RefusedImage }))
	fails(t, err, 500, "DOCKER::SANDBOX_IMAGE_PULL_FAILED")
	b.nothingLeft()
}

// What a failed create leaves because the backend refuses to remove it is retried.
func TestFailedCreateIsRemovedLater(t *testing.T) {
	b := started(t)
	var mu sync.Mutex
	broken := true
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if broken && (verb == runtimefake.Start || verb == runtimefake.Delete) {
			return errors.New("engine is down")
		}
		return nil
	})
	_, err := b.Create(t.Context(), request())
	fails(t, err, 500, "DOCKER::SANDBOX_START_FAILED")
	require.False(t, b.runtime.Empty())
	require.Zero(t, b.Directory().Len(), "a failed sandbox is routed to")

	mu.Lock()
	broken = false
	mu.Unlock()
	b.advance(2 * time.Second)
	b.nothingLeft()
}

func TestCreateOfWhatEndsAtOnce(t *testing.T) {
	for entrypoint, state := range map[string]lifecycle.State{"exit:0": lifecycle.Terminated, "exit:3": lifecycle.Failed} {
		b := started(t)
		b.prober.set(silent)
		sb := b.create(func(r *lifecycle.CreateRequest) { r.Entrypoint = []string{entrypoint} })
		require.Equal(t, state, sb.Status.State)
		e := b.entry(sb.ID)
		require.Equal(t, state, e.State)
		_, ok := e.Dial(wire.PortExecd)
		require.False(t, ok, "an ended sandbox can be dialled")
		require.NoError(t, b.Delete(t.Context(), sb.ID))
		b.nothingLeft()
	}
}

// The probe may be answered by whoever got the address of a sandbox that just ended.
func TestCreateDoesNotShowAnAddressThatWasGivenAway(t *testing.T) {
	b := started(t)
	var id string
	b.runtime.SetHook(func(_ context.Context, verb runtimefake.Verb, i string) error {
		if verb == runtimefake.Create {
			id = i
		}
		return nil
	})
	b.prober.set(func(context.Context, netip.AddrPort) error {
		require.NoError(t, b.runtime.End(t.Context(), id, 0))
		b.eventually(func() bool { return b.Service.EventsSeen(id) > 0 })
		return nil
	})
	sb := b.create()
	require.Equal(t, lifecycle.Terminated, sb.Status.State)
	_, ok := b.entry(sb.ID).Dial(80)
	require.False(t, ok)
}

func TestExecdStaysSilent(t *testing.T) {
	b := started(t, func(o *lifecycle.Options) { o.ReadyTimeout = 300 * time.Millisecond })
	b.prober.set(silent)
	_, err := b.Create(t.Context(), request())
	fails(t, err, 500, "DOCKER::SANDBOX_START_FAILED")
	b.nothingLeft()
}

func TestDeleteEndsACreate(t *testing.T) {
	b := started(t)
	b.prober.set(func(ctx context.Context, _ netip.AddrPort) error { <-ctx.Done(); return ctx.Err() })
	result := make(chan error, 1)
	go func() {
		_, err := b.Create(t.Context(), request())
		result <- err
	}()
	var id string
	b.eventually(func() bool {
		list, err := b.List(t.Context(), lifecycle.Filter{States: []string{"pending"}}, lifecycle.Page{Number: 1, Size: 1})
		if err != nil || len(list.Items) == 0 {
			return false
		}
		id = list.Items[0].ID
		return true
	})
	require.NoError(t, b.Delete(t.Context(), id))
	fails(t, <-result, 409, "DOCKER::SANDBOX_START_FAILED")
	b.nothingLeft()
}

func TestCloseEndsCreates(t *testing.T) {
	b := started(t)
	kept := b.create()
	b.prober.set(func(ctx context.Context, _ netip.AddrPort) error { <-ctx.Done(); return ctx.Err() })
	result := make(chan error, 1)
	go func() {
		_, err := b.Create(t.Context(), request())
		result <- err
	}()
	b.eventually(func() bool { return b.runtime.Count(runtimefake.Start) == 2 })
	b.close(b.Service)
	fails(t, <-result, 503, "GENERAL::SERVER_STOPPING")
	require.True(t, b.runtime.Has(kept.ID), "closing took a sandbox away")
	require.Len(t, b.store.all(), 1)
	_, err := b.Create(t.Context(), request())
	fails(t, err, 503, "GENERAL::SERVER_STOPPING")
}
