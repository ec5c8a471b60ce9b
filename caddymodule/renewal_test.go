package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/internal/redistest"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/secret"
)

// quiet is a sandbox that says nothing of interest.
func quiet() http.Handler { return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}) }

const intentKey = "opensandbox:renew:intent"

func redisClient(t *testing.T, s *redistest.Server) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(s.URL())
	require.NoError(t, err)
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *rig) renewIntent(enabled bool, s *redistest.Server) string {
	return fmt.Sprintf("[renew_intent]\nenabled = %t\nmin_interval_seconds = 1\n[renew_intent.redis]\nenabled = true\ndsn = %q\n", enabled, s.SocketURL())
}

// placeOpted runs a sandbox that opted in.
func (r *rig) placeOpted(id string, spec lifecycle.Spec) {
	r.t.Helper()
	spec.ID, spec.Image, spec.Entrypoint = id, "demo", []string{"sleep"}
	require.NoError(r.t, r.fake.Place(spec))
}

func (r *rig) expiresAt(id string) time.Time {
	r.t.Helper()
	got := r.do(http.MethodGet, "/v1/sandboxes/"+id, keyHeader(testKey))
	require.Equal(r.t, http.StatusOK, got.status, got.body)
	var sb struct{ ExpiresAt time.Time }
	require.NoError(r.t, json.Unmarshal([]byte(got.body), &sb))
	return sb.ExpiresAt
}

// An intent that some gateway left in Redis moves the expiry, while renewal is on; the
// password is in no log.
func TestIntentsFromRedisRenew(t *testing.T) {
	server := redistest.Start(t)
	client := redisClient(t, server)
	r := newRig(t)
	const opted, plain = "0a1b2c3d-0000-4000-8000-00000000aaaa", "0a1b2c3d-0000-4000-8000-00000000bbbb"
	r.fake.Address = netip.MustParseAddr("10.9.8.7")
	r.placeOpted(opted, lifecycle.Spec{Timeout: time.Minute, RenewValue: "600"})
	r.placeOpted(plain, lifecycle.Spec{Timeout: time.Minute})
	path := r.toml(testKey, r.renewIntent(false, server))
	r.load(path)
	before := r.expiresAt(plain)
	tell := func(ids ...string) {
		for _, id := range ids {
			element := fmt.Sprintf(`{"sandbox_id":%q,"observed_at":%q,"port":8080}`, id, time.Now().UTC().Format(time.RFC3339Nano))
			require.NoError(t, client.LPush(t.Context(), intentKey, element).Err())
		}
	}
	tell(opted)
	n, err := client.LLen(t.Context(), intentKey).Result()
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "nobody listens while renewal is off")

	edit(t, path, "enabled = false", "enabled = true")
	r.load(path)
	tell(plain, "unknown", opted)
	require.Eventually(t, func() bool { return time.Until(r.expiresAt(opted)) > 9*time.Minute }, wait, tick)
	require.Equal(t, before, r.expiresAt(plain))
	locks, err := client.Keys(t.Context(), "opensandbox:renew:lock:*").Result()
	require.NoError(t, err)
	require.Equal(t, []string{"opensandbox:renew:lock:" + opted}, locks)

	edit(t, path, "[renew_intent]\nenabled = true", "[renew_intent]\nenabled = false")
	r.load(path)
	tell(opted)
	require.Never(t, func() bool { n, err := client.LLen(t.Context(), intentKey).Result(); return err != nil || n != 1 }, 50*time.Millisecond, tick)

	edit(t, path, "redis]\nenabled = true", "redis]\nenabled = true\nqueue_key = \"other\"")
	require.ErrorContains(t, caddy.Load(r.adapt(path), true), "renew_intent.redis.queue_key")
	server.Stop()
	require.NotContains(t, readFile(t, r.log()), redistest.Password)
	require.Contains(t, readFile(t, r.log()), "renew_succeeded")
}

// A used sandbox does not become idle, whether renewal is on or not.
func TestTrafficKeepsIdleSandboxes(t *testing.T) {
	r := newRig(t)
	port := r.place(quiet())
	const idle = "0a1b2c3d-0000-4000-8000-00000000cccc"
	r.placeOpted(idle, lifecycle.Spec{IdleTimeout: 60 * time.Second, RenewValue: "600", Timeout: time.Minute})
	path := r.toml(testKey, "[renew_intent]\nenabled = false\nmin_interval_seconds = 1")
	r.load(path)
	before := r.expiresAt(idle)
	use := func() { r.do(http.MethodGet, fmt.Sprintf("/sandboxes/%s/proxy/%d/", idle, port)) }
	touched := func() int64 {
		e, ok := pooledState().opened.source.Lookup(idle)
		require.True(t, ok)
		return e.LastTouch.Load()
	}
	use()
	first := touched()
	require.NotZero(t, first, "an access was not counted")
	require.Equal(t, before, r.expiresAt(idle), "the expiry moved while renewal is off")

	edit(t, path, "enabled = false", "enabled = true")
	r.load(path)
	require.Eventually(t, func() bool { use(); return r.expiresAt(idle).After(before.Add(8 * time.Minute)) }, wait, tick)
	require.Greater(t, touched(), first, "the reload lost the throttle")
}

// A gateway that has no sandboxes of its own tells of the ones it carried traffic to.
func TestAGatewayTellsRedis(t *testing.T) {
	server := redistest.Start(t)
	client := redisClient(t, server)
	var c config.Config
	c.RenewIntent.Enabled, c.RenewIntent.MinInterval = true, time.Minute
	c.RenewIntent.Redis = config.RenewRedis{Enabled: true, DSN: secret.New(server.URL()), QueueKey: intentKey, QueueMaxLen: 10}
	r, err := newGatewayRenewal(&c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	r.apply(&c)
	e, err := new(lifecycle.Directory).Publish(lifecycle.Entry{
		ID: sandboxID, State: lifecycle.Running, Address: netip.MustParseAddr("10.9.8.7"), IdleTimeout: time.Minute,
	})
	require.NoError(t, err)
	r.Touch(e, 8080, "/path")
	require.NoError(t, r.Close(t.Context()))
	list, err := client.LRange(t.Context(), intentKey, 0, -1).Result()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Contains(t, list[0], sandboxID)

	c.RenewIntent.Redis.Enabled = false
	r, err = newGatewayRenewal(&c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	r.apply(&c)
	r.Touch(e, 8080, "/path")
	require.NoError(t, r.Close(context.Background()))
}

func TestABadRedisAddressIsRefusedAtTheStart(t *testing.T) {
	r := newRig(t)
	path := r.toml(testKey, "[renew_intent.redis]\nenabled = true\ndsn = \"redis://:"+seedPassword+"@host/not-a-number\"")
	err := caddy.Load(r.adapt(path), true)
	require.ErrorContains(t, err, "renew_intent.redis.dsn")
	require.NotContains(t, err.Error(), seedPassword)
}
