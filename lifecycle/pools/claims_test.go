package pools_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/pools"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

func TestAClaimGetsAMemberWithItsOwnRules(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(2, 5))
	made := b.runtime.Count(runtimefake.Create)
	before := b.members()
	require.Len(t, before, 2)

	sb := b.claim(func(r *lifecycle.CreateRequest) {
		r.Metadata = map[string]string{"team": "ml"}
		r.SecureAccess = true
		r.Extensions["access.renew.extend.seconds"] = "600"
	})
	require.Contains(t, before, sb.ID, "a member that was started before")
	require.Equal(t, lifecycle.Running, sb.Status.State)
	require.Equal(t, "python:3.11", sb.Image)
	require.Equal(t, map[string]string{"team": "ml"}, sb.Metadata)
	require.Equal(t, []string{}, sb.Entrypoint)
	require.Equal(t, sb.CreatedAt.Add(time.Hour), sb.ExpiresAt, "the timeout counts from the claim")
	require.LessOrEqual(t, made, b.runtime.Count(runtimefake.Create))

	r, ok := b.record(sb.ID)
	require.True(t, ok)
	require.Equal(t, lifecycle.Live, r.Phase)
	require.True(t, r.SecureAccess)
	require.Equal(t, 10*time.Minute, r.RenewExtend)
	require.True(t, b.members()[sb.ID], "claimed on disk")
	e, ok := b.service.Directory().Lookup(sb.ID)
	require.True(t, ok)
	require.NotNil(t, e.SecureSum)
	require.NotNil(t, e.ExecdTokenSum)
	require.False(t, b.service.ExecdToken(sb.ID).IsZero())
	require.Equal(t, 1, b.listed())
	b.filled(2)
	v, err := b.set.Get(name)
	require.NoError(t, err)
	require.Equal(t, pools.Status{Total: 3, Allocated: 1, Available: 2, Revision: template().Revision()}, v.Status)
}

func TestMembersAreNobodysBeforeTheyAreClaimed(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(1, 5))
	require.Zero(t, b.listed())
	require.Zero(t, b.service.Directory().Len())
	for id := range b.members() {
		_, err := b.service.Get(t.Context(), id)
		fails(t, err, 404, "DOCKER::SANDBOX_NOT_FOUND")
		_, err = b.service.Renew(t.Context(), id, time.Now().Add(time.Hour))
		fails(t, err, 404, "DOCKER::SANDBOX_NOT_FOUND")
		_, err = b.service.PatchMetadata(t.Context(), id, nil)
		fails(t, err, 404, "DOCKER::SANDBOX_NOT_FOUND")
		fails(t, b.service.Pause(t.Context(), id), 404, "DOCKER::SANDBOX_NOT_FOUND")
		fails(t, b.service.Delete(t.Context(), id), 404, "DOCKER::SANDBOX_NOT_FOUND")
		require.True(t, b.service.ExecdToken(id).IsZero())
		spec, ok := b.runtime.Spec(id)
		require.True(t, ok)
		require.Equal(t, name, spec.Pool)
		require.Zero(t, spec.Timeout)
	}
	b.filled(1)
}

func TestParallelClaimsNeverShareASandbox(t *testing.T) {
	b := newBed(t).start()
	const claims, most = 40, 30
	b.pool(steady(8, most))
	var mu sync.Mutex
	got, full := map[string]int{}, 0
	var work sync.WaitGroup
	for range claims {
		work.Go(func() {
			sb, err := b.service.Create(t.Context(), claim())
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				full++
				typed := fails(t, err, 429, pools.CodeExhausted)
				require.Positive(t, typed.RetryAfter)
				return
			}
			got[sb.ID]++
		})
	}
	work.Wait()
	for id, times := range got {
		require.Equal(t, 1, times, id)
	}
	require.Equal(t, claims, len(got)+full)
	v, err := b.set.Get(name)
	require.NoError(t, err)
	require.LessOrEqual(t, v.Status.Total, most, "poolMax bounds members and claimed ones together")
	require.Equal(t, len(got), v.Status.Allocated)
	require.Equal(t, len(got), b.listed())
}

func TestAReleasedSandboxIsNeverLentAgain(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(1, 2))
	seen := map[string]bool{}
	for range 5 {
		b.eventually(func() bool { v, _ := b.set.Get(name); return v.Status.Available == 1 }, "no member")
		sb := b.claim()
		require.False(t, seen[sb.ID])
		seen[sb.ID] = true
		require.NoError(t, b.service.Delete(t.Context(), sb.ID))
		require.False(t, b.runtime.Has(sb.ID))
		require.NotContains(t, b.members(), sb.ID, "its row went with its record")
	}
}

func TestAnEmptyPool(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(0, 1))
	sb := b.claim() // made for the claim
	require.True(t, b.runtime.Has(sb.ID))
	require.True(t, b.members()[sb.ID])
	_, err := b.service.Create(t.Context(), claim())
	require.Positive(t, fails(t, err, 429, pools.CodeExhausted).RetryAfter, "poolMax is reached")
	require.NoError(t, b.service.Delete(t.Context(), sb.ID))
	b.claim()

	_, err = b.service.Create(t.Context(), claim(func(r *lifecycle.CreateRequest) { r.Extensions["poolRef"] = "other" }))
	fails(t, err, 404, pools.CodeNotFound)

	_, err = b.set.Add(t.Context(), pools.Pool{Name: "strict", Capacity: steady(0, 9), Template: pools.Template{
		Image: "python:3.11", Entrypoint: []string{"sleep"}, FailWhenEmpty: true,
	}})
	require.NoError(t, err)
	made := b.runtime.Count(runtimefake.Create)
	_, err = b.service.Create(t.Context(), claim(func(r *lifecycle.CreateRequest) { r.Extensions["poolRef"] = "strict" }))
	require.Positive(t, fails(t, err, 429, pools.CodeExhausted).RetryAfter)
	require.Equal(t, made, b.runtime.Count(runtimefake.Create), "refused without asking the backend")
}

func TestAFailedColdClaimGivesItsPlaceBack(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(0, 1), func(p *pools.Template) { p.Image = runtimefake.RefusedImage })
	for range 3 {
		_, err := b.service.Create(t.Context(), claim())
		fails(t, err, 500, "DOCKER::SANDBOX_IMAGE_PULL_FAILED")
	}
	require.Empty(t, b.members())
	v, err := b.set.Get(name)
	require.NoError(t, err)
	require.Zero(t, v.Status.Total)
}

func TestWhatAClaimMayNotBring(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(1, 3))
	for member, change := range map[string]func(*lifecycle.CreateRequest){
		"snapshotId":     func(r *lifecycle.CreateRequest) { r.SnapshotID = "s" },
		"networkPolicy":  func(r *lifecycle.CreateRequest) { r.NetworkPolicy = true },
		"platform":       func(r *lifecycle.CreateRequest) { r.Platform = &lifecycle.Platform{OS: "linux", Arch: "amd64"} },
		"image":          func(r *lifecycle.CreateRequest) { r.Image = "python:3.12" },
		"volumes":        func(r *lifecycle.CreateRequest) { r.Volumes = make([]volume.Volume, 1) },
		"image.auth":     func(r *lifecycle.CreateRequest) { r.ImageAuth = &lifecycle.RegistryAuth{} },
		"resourceLimits": func(r *lifecycle.CreateRequest) { r.Resources = map[string]string{"cpu": "2"} },
		`"EXECD_ENVS"`:   func(r *lifecycle.CreateRequest) { r.Env = []lifecycle.EnvVar{{Name: "EXECD_ENVS", Value: "/x"}} },
		`"LINES"`:        func(r *lifecycle.CreateRequest) { r.Env = []lifecycle.EnvVar{{Name: "LINES", Value: "a\nEXECD_X=b"}} },
		`"DOLLAR"`:       func(r *lifecycle.CreateRequest) { r.Env = []lifecycle.EnvVar{{Name: "DOLLAR", Value: "$HOME"}} },
		`"BLANK"`:        func(r *lifecycle.CreateRequest) { r.Env = []lifecycle.EnvVar{{Name: "BLANK", Value: " a"}} },
		`"#NAME"`:        func(r *lifecycle.CreateRequest) { r.Env = []lifecycle.EnvVar{{Name: "#NAME", Value: "a"}} },
	} {
		_, err := b.service.Create(t.Context(), claim(change))
		require.Contains(t, fails(t, err, 400, "SANDBOX::INVALID_PARAMETER").Message, member)
	}
	v, err := b.set.Get(name)
	require.NoError(t, err)
	require.Zero(t, v.Status.Allocated, "a refused claim takes nothing")

	// What clients send unasked, and what the template says anyway, is no wish.
	b.claim(func(r *lifecycle.CreateRequest) {
		r.Image, r.Entrypoint = "docker.io/library/python:3.11", []string{"tail", "-f", "/dev/null"}
		r.Resources = map[string]string{"cpu": "1", "memory": "2Gi"}
	})
	b.filled(1)
	b.claim(func(r *lifecycle.CreateRequest) {
		r.Entrypoint, r.Resources = []string{"sleep", "inf"}, map[string]string{"cpu": "0.5"}
	})
}

func TestAMemberThatDiedIsReplaced(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(1, 3))
	var dead string
	for id := range b.members() {
		dead = id
	}
	require.NoError(t, b.runtime.End(t.Context(), dead, 137))
	b.eventually(func() bool { return !b.runtime.Has(dead) }, "the dead member stays")
	b.filled(1)
	require.NotEqual(t, dead, b.claim().ID)

	b.filled(1)
	for id, claimed := range b.members() {
		if !claimed {
			require.NoError(t, b.runtime.Remove(t.Context(), id))
		}
	}
	b.eventually(func() bool { return len(b.members()) == 2 }, "the removed member is not replaced")
	b.filled(1)
}

func TestADeadMemberIsNotHandedOutUnheard(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(1, 1)) // nothing is made while the dead one has its place
	var dead string
	for id := range b.members() {
		dead = id
	}
	reached, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b.runtime.SetHook(func(_ context.Context, v runtimefake.Verb, id string) error {
		if v == runtimefake.Inspect && id == dead {
			once.Do(func() { close(reached); <-proceed })
		}
		return nil
	})
	require.NoError(t, b.runtime.End(t.Context(), dead, 1))
	<-reached // it was heard, and is being looked at under its lock
	over := make(chan error, 1)
	go func() {
		sb, err := b.service.Create(t.Context(), claim())
		if err == nil && sb.ID == dead {
			err = errors.New("the dead member was handed out")
		}
		over <- err
	}()
	b.eventually(func() bool { v, _ := b.set.Get(name); return v.Status.Available == 0 }, "not taken")
	close(proceed)
	if err := <-over; err != nil {
		fails(t, err, 429, pools.CodeExhausted)
	}
	b.eventually(func() bool { return !b.runtime.Has(dead) }, "the dead member stays")
}

func TestMembersCountAgainstTheServersLimit(t *testing.T) {
	b := newBed(t)
	b.limit = 3
	b.start()
	b.pool(pools.Capacity{BufferMin: 2, BufferMax: 2, PoolMax: 9})
	b.claim()
	b.filled(2)
	b.claim()
	b.eventually(func() bool { v, _ := b.set.Get(name); return v.Status.Total == 3 }, "three")
	b.claim()
	_, err := b.service.Create(t.Context(), claim())
	fails(t, err, 429, "SANDBOX::TOO_MANY_SANDBOXES")
	require.Equal(t, 3, b.listed())
}

// While the event stream is down, an address may have become another's (threat row K9).
func TestWhileEventsAreSilentAMemberIsLookedAtFirst(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(1, 9))
	var dead string
	for id := range b.members() {
		dead = id
	}
	b.runtime.Silence()
	var down time.Time
	b.eventually(func() bool {
		if _, up := b.service.Directory().EventAge(); !up && down.IsZero() {
			down = time.Now()
		}
		return !down.IsZero() && time.Since(down) > 2*time.Second
	}, "the stream is not down")
	require.NoError(t, b.runtime.Remove(t.Context(), dead))
	require.NotEqual(t, dead, b.claim().ID)
	require.NotContains(t, b.members(), dead)
}

// An answer that was lost is repeated: the same sandbox, not a second one.
func TestARepeatedClaimIsTheSame(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(2, 9))
	ask := func(r *lifecycle.CreateRequest) { r.IdempotencyKey, r.Content = "k", [32]byte{1} }
	first := b.claim(ask)
	require.Equal(t, first.ID, b.claim(ask).ID)
	require.Equal(t, 1, b.listed())
	require.NotEqual(t, first.ID, b.claim().ID)
}

// A client that leaves while its claim is being served gets nothing, and leaves nothing.
func TestAClaimThatIsGivenUpLeavesNothing(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(0, 1))
	ctx, leave := context.WithCancel(t.Context())
	b.runtime.SetHook(func(_ context.Context, v runtimefake.Verb, _ string) error {
		if v == runtimefake.Start {
			leave()
		}
		return nil
	})
	_, err := b.service.Create(ctx, claim())
	require.Error(t, err)
	require.True(t, b.runtime.Empty())
	require.Empty(t, b.members())
	require.Zero(t, b.listed())
	b.runtime.SetHook(nil)
	b.claim()
}

func TestATemplateThatEndsAtOnce(t *testing.T) {
	b := newBed(t).start()
	b.pool(steady(0, 2), func(p *pools.Template) { p.Entrypoint = []string{"exit:0"} })
	_, err := b.service.Create(t.Context(), claim())
	fails(t, err, 500, "DOCKER::SANDBOX_START_FAILED")
	require.Equal(t, 1, b.runtime.Count(runtimefake.Create), "it is not tried over and over for one claim")
	require.True(t, b.runtime.Empty())
}
