package redislist_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/internal/redistest"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/renew"
	"github.com/opensandbox-edge/edge/lifecycle/renew/redislist"
	"github.com/opensandbox-edge/edge/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key      = "opensandbox:renew:intent"
	patience = time.Minute
)

// sink remembers what was consumed.
type sink struct {
	mu       sync.Mutex
	accepted []string
	refused  map[renew.Refusal]int
}

func (s *sink) Accept(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepted = append(s.accepted, id)
}

func (s *sink) Refuse(why renew.Refusal, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = map[renew.Refusal]int{}
	}
	s.refused[why]++
}

func (s *sink) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.accepted...)
}

func (s *sink) bad() map[renew.Refusal]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.refused)
}

// buffer is a log that several goroutines write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *buffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func dsn(t testing.TB, url string) redislist.DSN {
	t.Helper()
	d, err := redislist.ParseDSN(secret.New(url))
	require.NoError(t, err)
	return d
}

func consume(t *testing.T, url string, o redislist.ConsumerOptions) *sink {
	t.Helper()
	s := &sink{}
	o.DSN, o.Key, o.Sink = dsn(t, url), key, s
	c := redislist.StartConsumer(o)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return s
}

func publish(t *testing.T, url string, o redislist.PublisherOptions) *redislist.Publisher {
	t.Helper()
	o.DSN, o.Key = dsn(t, url), key
	p := redislist.StartPublisher(o)
	p.Set(renew.Rules{Enabled: true, MinInterval: time.Minute})
	t.Cleanup(func() { _ = p.Close(context.WithoutCancel(t.Context())) })
	return p
}

// raw is a client like any other program's.
func raw(t testing.TB, s *redistest.Server) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(s.URL())
	require.NoError(t, err)
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func entry(t testing.TB, id string, extend time.Duration) *lifecycle.Entry {
	t.Helper()
	e, err := new(lifecycle.Directory).Publish(lifecycle.Entry{
		ID: id, State: lifecycle.Running, Address: netip.MustParseAddr("10.0.0.1"), RenewExtend: extend,
	})
	require.NoError(t, err)
	return e
}

func counters(t testing.TB, c prometheus.Collector) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(c))
	families, err := reg.Gather()
	require.NoError(t, err)
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			out[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

func within(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 2*time.Millisecond)
}

func TestFromGatewayToServer(t *testing.T) {
	server := redistest.Start(t)
	for name, url := range map[string]string{"tcp": server.URL(), "socket": server.SocketURL()} {
		t.Run(name, func(t *testing.T) {
			s := consume(t, url, redislist.ConsumerOptions{})
			p := publish(t, url, redislist.PublisherOptions{})
			e := entry(t, "a", time.Hour)
			for range 100 {
				p.Touch(e, 8080, "/x")
			}
			p.Touch(entry(t, "plain", 0), 8080, "")
			p.Touch(entry(t, "b", time.Hour), 44772, "")
			within(t, func() bool { return len(s.got()) == 2 })
			require.ElementsMatch(t, []string{"a", "b"}, s.got())
			require.Empty(t, s.bad())
			within(t, func() bool { return counters(t, p)["sent"] == 2 && counters(t, p)["publisher"] == 1 })
		})
	}
}

// What published gateways and servers expect of the list.
func TestTheListAsOthersSeeIt(t *testing.T) {
	server := redistest.Start(t)
	client := raw(t, server)
	now := time.Date(2026, 3, 22, 12, 0, 0, 123456789, time.UTC)
	p := publish(t, server.URL(), redislist.PublisherOptions{MaxLen: 2, Workers: 1, Now: func() time.Time { return now }})
	p.Touch(entry(t, "a", time.Hour), 8080, "/api/foo")
	p.Touch(entry(t, "b", time.Hour), 8080, "")
	p.Touch(entry(t, "c", time.Hour), 44772, strings.Repeat("/long", 1000))
	within(t, func() bool { return counters(t, p)["sent"] == 3 })
	list, err := client.LRange(t.Context(), key, 0, -1).Result()
	require.NoError(t, err)
	require.Equal(t, []string{ // the newest is on the left, and the oldest was cut
		`{"sandbox_id":"c","observed_at":"2026-03-22T12:00:00.123456789Z","port":44772}`,
		`{"sandbox_id":"b","observed_at":"2026-03-22T12:00:00.123456789Z","port":8080}`,
	}, list)
}

func TestElementsOfOthers(t *testing.T) {
	server := redistest.Start(t)
	client := raw(t, server)
	now := time.Date(2026, 3, 22, 12, 0, 0, 0, time.UTC)
	for _, element := range []string{
		`{"sandbox_id":"go","observed_at":"2026-03-22T11:59:59.123456789Z","port":8080,"request_uri":"/api/foo"}`,
		`{"namespace":"n","sandbox_id":"later","observed_at":"2026-03-22T12:00:00Z"}`,
		`{"sandbox_id": "python", "observed_at": "2026-03-22T19:59:00.500000+08:00", "port": 8080}`,
		`{"sandbox_id":"old","observed_at":"2026-03-22T11:54:59Z"}`,
		`{"sandbox_id":"early","observed_at":"2026-03-22T12:01:01Z"}`,
		`{"sandbox_id":"ahead","observed_at":"2026-03-22T12:01:00Z"}`,
		"garbage", "", "[]", "null", `{"sandbox_id":"` + strings.Repeat("x", 5000) + `"}`,
		strings.Repeat("x", 1<<20), strings.Repeat("y", 64<<20), // giants
		`{"sandbox_id":"last","observed_at":"2026-03-22T12:00:00Z"}`,
	} {
		require.NoError(t, client.LPush(t.Context(), key, element).Err())
	}
	s := consume(t, server.URL(), redislist.ConsumerOptions{Feeders: 1, Now: func() time.Time { return now }})
	within(t, func() bool { got := s.got(); return len(got) > 0 && got[len(got)-1] == "last" })
	require.Equal(t, []string{"go", "later", "python", "ahead", "last"}, s.got(), "first in, first out")
	require.Equal(t, map[renew.Refusal]int{renew.Stale: 1, renew.Future: 1, renew.Malformed: 7}, s.bad())
}

func TestRedisGoesAndComesBack(t *testing.T) {
	server := redistest.Start(t)
	var log buffer
	s := consume(t, server.URL(), redislist.ConsumerOptions{Feeders: 2, Logger: log.logger()})
	p := publish(t, server.SocketURL(), redislist.PublisherOptions{Logger: log.logger()})
	p.Touch(entry(t, "before", time.Hour), 1, "")
	within(t, func() bool { return len(s.got()) == 1 && counters(t, p)["sent"] == 1 })

	server.Stop()
	p.Touch(entry(t, "away", time.Hour), 1, "")
	within(t, func() bool { return counters(t, p)["failed"] > 0 && counters(t, p)["publisher"] == 0 })
	within(t, func() bool { return strings.Contains(log.String(), "role=consumer error") })

	server.Start()
	n := 0
	within(t, func() bool {
		n++
		p.Touch(entry(t, fmt.Sprint("after", n), time.Hour), 1, "")
		return len(s.got()) > 1
	})
	within(t, func() bool { return counters(t, p)["publisher"] == 1 })
	within(t, func() bool { return strings.Count(log.String(), "renew_event=redis_connected") >= 4 })
	require.NotContains(t, log.String(), redistest.Password)
}

func TestRedisThatWasNeverThere(t *testing.T) {
	server := redistest.Start(t)
	server.Stop()
	var log buffer
	s := consume(t, server.URL(), redislist.ConsumerOptions{Logger: log.logger()})
	p := publish(t, server.URL(), redislist.PublisherOptions{Queue: 1, Workers: 1, Logger: log.logger()})
	first := entry(t, "first", time.Hour)
	p.Touch(first, 1, "")
	within(t, func() bool { return counters(t, p)["failed"] > 0 })
	// The queue is bounded, and what found no place may be told at once again.
	within(t, func() bool {
		e := entry(t, "more", time.Hour)
		p.Touch(e, 1, "")
		return e.LastTouch.Load() == 0
	})
	require.Positive(t, counters(t, p)["queue_full"])
	require.NotZero(t, first.LastTouch.Load(), "a failure takes the interval")
	server.Start()
	within(t, func() bool {
		p.Touch(entry(t, "late", time.Hour), 1, "") // those before may all have failed
		return len(s.got()) > 0
	})
	require.NotContains(t, log.String(), redistest.Password)
}

func TestAWrongPasswordIsTold(t *testing.T) {
	server := redistest.Start(t)
	var log buffer
	url := strings.Replace(server.URL(), redistest.Password, "wrong-password-0123456789", 1)
	consume(t, url, redislist.ConsumerOptions{Logger: log.logger()})
	within(t, func() bool { return strings.Contains(log.String(), "WRONGPASS") })
	require.NotContains(t, log.String(), "wrong-password")
}

func TestCloseSendsWhatWaits(t *testing.T) {
	server := redistest.Start(t)
	p := publish(t, server.URL(), redislist.PublisherOptions{})
	const waiting = 50 // few, since there is a bound on how long the last ones may take
	for i := range waiting {
		p.Touch(entry(t, fmt.Sprint("s", i), time.Hour), 1, "")
	}
	require.NoError(t, p.Close(t.Context()))
	n, err := raw(t, server).LLen(t.Context(), key).Result()
	require.NoError(t, err)
	require.EqualValues(t, waiting, n)

	late := entry(t, "late", time.Hour)
	p.Touch(late, 1, "")
	require.Zero(t, late.LastTouch.Load())
}

func TestPublishesOnlyWhileEnabled(t *testing.T) {
	server := redistest.Start(t)
	p := publish(t, server.URL(), redislist.PublisherOptions{})
	p.Set(renew.Rules{MinInterval: time.Minute})
	e := entry(t, "a", time.Hour)
	e.IdleTimeout = time.Minute
	p.Touch(e, 1, "")
	require.Zero(t, e.LastTouch.Load())
	p.Set(renew.Rules{Enabled: true, MinInterval: time.Minute})
	p.Touch(e, 1, "")
	within(t, func() bool { return counters(t, p)["sent"] == 1 })
}

func TestLock(t *testing.T) {
	server := redistest.Start(t)
	one, other := redislist.NewLock(dsn(t, server.URL()), 2), redislist.NewLock(dsn(t, server.SocketURL()), 2)
	defer func() { _ = one.Close(); _ = other.Close() }()
	take := func(l *redislist.Lock, id string) bool {
		t.Helper()
		ours, err := l.Take(t.Context(), id, time.Minute)
		require.NoError(t, err)
		return ours
	}
	require.True(t, take(one, "a"))
	require.False(t, take(other, "a"))
	require.True(t, take(one, "a"), "an owner renews again, however exactly the interval was met")
	require.True(t, take(other, "b"))
	client := raw(t, server)
	left, err := client.TTL(t.Context(), "opensandbox:renew:lock:a").Result()
	require.NoError(t, err)
	require.LessOrEqual(t, left, time.Minute)
	require.Greater(t, left, time.Minute/2)
	require.NoError(t, client.Del(t.Context(), "opensandbox:renew:lock:a").Err())
	require.True(t, take(other, "a"))

	// Without Redis everybody renews, and nobody waits for it each time.
	server.Stop()
	began := time.Now()
	for range 1000 {
		ours, err := one.Take(t.Context(), "a", time.Minute)
		require.Error(t, err)
		require.True(t, ours)
	}
	require.Less(t, time.Since(began), 30*time.Second)
}

func TestDSN(t *testing.T) {
	for _, good := range []string{
		"redis://127.0.0.1:6379/0", "redis://host", "rediss://user:p%40ss@host:6380/2", "unix:///run/redis.sock", "unix://u:p@/run/redis.sock?db=3", "redis://[::1]:6379",
	} {
		_, err := redislist.ParseDSN(secret.New(good))
		require.NoError(t, err, good)
	}
	for _, bad := range []string{
		"", "hunter2", "127.0.0.1:6379", "http://:hunter2@host", "redis://", "redis://:hunter2@", "redis://:hunter2@host/x", "redis://:hunter2@host/0/1",
		"redis://:hunter2@host:port", "redis://:hunt%er2@host", "redis://:hunter2@host?hunter2=1", "unix://", "unix://:hunter2@", "redis://host:1\nhunter2",
	} {
		d, err := redislist.ParseDSN(secret.New(bad))
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, fmt.Sprintf("%+v %#v", d, d), "hunter2")
	}
	require.NotContains(t, fmt.Sprintf("%+v %#v", dsn(t, "redis://:hunter2@host"), dsn(t, "redis://:hunter2@host")), "hunter2")
}

func BenchmarkPublisherTouch(b *testing.B) {
	p := redislist.StartPublisher(redislist.PublisherOptions{DSN: dsn(b, "unix:///nowhere"), Key: key})
	defer func() { _ = p.Close(context.Background()) }()
	p.Set(renew.Rules{Enabled: true, MinInterval: time.Minute})
	e := entry(b, "a", time.Hour)
	e.LastTouch.Store(time.Now().UnixNano())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Touch(e, 8080, "/x")
		}
	})
}
