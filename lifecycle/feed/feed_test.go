package feed_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/feed"
)

func TestTheCopyFollowsEveryChange(t *testing.T) {
	c := newControl(t)
	sum := [32]byte{1, 2, 3}
	_, err := c.Publish(lifecycle.Entry{
		ID: "a", BackendID: "c-a", State: lifecycle.Running, Address: netip.MustParseAddr("10.0.0.1"),
		Published:     map[uint16]netip.AddrPort{8080: netip.MustParseAddrPort("127.0.0.1:40000")},
		ExecdTokenSum: &sum, SecureSum: &sum, RenewExtend: 90 * time.Second, IdleTimeout: time.Minute,
	})
	require.NoError(t, err)
	g := newClient(t, "http://"+c.address)
	ready(t, g)
	require.Equal(t, "kubernetes", g.RuntimeName())
	e := lookup(t, g, "a")
	require.Equal(t, lifecycle.Running, e.State)
	require.Equal(t, "c-a", e.BackendID)
	require.Equal(t, netip.MustParseAddr("10.0.0.1"), e.Address)
	require.Equal(t, sum, *e.ExecdTokenSum)
	require.Equal(t, sum, *e.SecureSum)
	require.Equal(t, 90*time.Second, e.RenewExtend)
	require.Equal(t, time.Minute, e.IdleTimeout)
	to, ok := e.Dial(8080)
	require.True(t, ok)
	require.Equal(t, "127.0.0.1:40000", to.String(), "the server is on this machine, so its loopback is ours")

	c.put(t, "b", "10.0.0.2")
	soon(t, "a new sandbox", func() bool { _, ok := g.Directory().Lookup("b"); return ok })
	_, err = c.Publish(lifecycle.Entry{ID: "a", State: lifecycle.Paused})
	require.NoError(t, err)
	soon(t, "a pause ends the generation", func() bool { return e.Ended() != nil })
	require.ErrorIs(t, e.Ended(), lifecycle.ErrNotRunning)
	b := lookup(t, g, "b")
	c.Remove("b", lifecycle.ErrGone)
	soon(t, "a removal", func() bool { _, ok := g.Directory().Lookup("b"); return !ok })
	require.ErrorIs(t, b.Ended(), lifecycle.ErrGone)
}

func TestACrowdOfChangesConverges(t *testing.T) {
	c := newControl(t)
	g := newClient(t, "http://"+c.address)
	ready(t, g)
	for i := range 6000 { // more than a follower may be behind
		c.put(t, fmt.Sprint("s", i), "10.0.0.1")
		if i%3 == 0 {
			c.Remove(fmt.Sprint("s", i), lifecycle.ErrGone)
		}
	}
	c.put(t, "last", "10.0.0.2")
	soon(t, "all of them", func() bool { return g.Directory().Len() == 4001 })
	c.Range(func(e *lifecycle.Entry) bool {
		require.Equal(t, e.BackendID, lookup(t, g, e.ID).BackendID)
		return true
	})
}

// A restart of the lifecycle server touches nobody's connections: the generation goes on.
func TestAReconnectionKeepsWhatIsUnchanged(t *testing.T) {
	c := newControl(t)
	c.put(t, "stays", "10.0.0.1")
	c.put(t, "goes", "10.0.0.2")
	c.put(t, "moves", "10.0.0.3")
	g := newClient(t, "http://"+c.address)
	ready(t, g)
	stays, goes, moves := lookup(t, g, "stays"), lookup(t, g, "goes"), lookup(t, g, "moves")
	c.kill()
	c.Remove("goes", lifecycle.ErrGone)
	c.put(t, "moves", "10.0.0.2")
	c.put(t, "new", "10.0.0.4")
	require.NoError(t, goes.Ended(), "without a word everything goes on")
	require.True(t, g.Ready().Ready, "a gateway serves from memory")
	c.listen(t, c.address)
	soon(t, "what vanished", func() bool { return goes.Ended() != nil && moves.Ended() != nil })
	require.ErrorIs(t, goes.Ended(), lifecycle.ErrGone)
	require.ErrorIs(t, moves.Ended(), lifecycle.ErrReplaced)
	lookup(t, g, "new")
	require.NoError(t, stays.Ended())
	require.Equal(t, stays.Generation, lookup(t, g, "stays").Generation)
}

// A server that stops removes its directory's entries; the feed is gone by then.
func TestAServerThatStopsTakesNothingAway(t *testing.T) {
	for name, stop := range map[string]func(*control){
		"closed":   func(c *control) { c.feed.Close() },
		"stopping": func(c *control) { c.stopping.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newControl(t)
			c.put(t, "a", "10.0.0.1")
			g := newClient(t, "http://"+c.address)
			ready(t, g)
			a := lookup(t, g, "a")
			stop(c)
			soon(t, "the stream ends", func() bool { return c.feed.Followers() == 0 })
			c.kill()
			c.Remove("a", lifecycle.ErrClosed)
			require.NoError(t, a.Ended())
			lookup(t, g, "a")
		})
	}
}

func TestAStreamThatFallsSilentIsReplaced(t *testing.T) {
	s := peer(t, 200, "application/x-ndjson", `{"kind":"snapshot","version":1,"runtime":"docker"}`+"\n"+`{"kind":"synced"}`+"\n")
	connected := make(chan struct{}, 100)
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { connected <- struct{}{}; inner.ServeHTTP(w, r) })
	newClient(t, s.URL, func(o *feed.ClientOptions) { o.WithSilence(20 * time.Millisecond) })
	for range 3 {
		<-connected
	}
}

func get(t *testing.T, c *control, method, host, path, key string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, method, "http://"+c.address+path, nil)
	require.NoError(t, err)
	if host != "" {
		r.Host = host
	}
	if key != "" {
		r.Header.Set("OPEN-SANDBOX-API-KEY", key)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	res, err := transport.RoundTrip(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.Header.Get("Content-Type") == "application/x-ndjson" {
		text, err := bufio.NewReader(res.Body).ReadString('\n')
		require.NoError(t, err)
		return res.StatusCode, text
	}
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(text)
}

func TestTheFeedIsForHoldersOfAKeyOnAPIHostsAlone(t *testing.T) {
	c := newControl(t)
	c.put(t, "a", "10.0.0.1")
	for _, row := range []struct {
		method, host, path, key string
		status                  int
	}{
		{"GET", "", "/v1/directory", "", 401},
		{"GET", "", "/v1/directory", "wrong-key-0123456789", 401},
		{"GET", "", "/v1/directory/a", "", 401},
		{"POST", "", "/v1/directory", apiKey, 405},
		{"GET", "", "/v1/directory/a", apiKey, 200},
		{"GET", "", "/v1/directory/nobody", apiKey, 404},
		{"GET", "", "/v1/directory/a/b", apiKey, 404},
		{"GET", "", "/v1/directory", apiKey, 200},
		{"GET", "", "/v1/directoryx", apiKey, 418},
		{"GET", "", "/directory", apiKey, 418},
		{"GET", "a-80.sb.example.com", "/v1/directory", apiKey, 418}, // the sandbox's own path
		{"GET", "", "/sandboxes/a/proxy/80/v1/directory", apiKey, 418},
	} {
		status, body := get(t, c, row.method, row.host, row.path, row.key)
		require.Equal(t, row.status, status, "%+v: %s", row, body)
	}
}

func TestFollowersAreBounded(t *testing.T) {
	c := newControl(t)
	for range 64 {
		status, first := get(t, c, "GET", "", feed.Path, apiKey)
		require.Equal(t, 200, status)
		require.True(t, strings.HasPrefix(first, `{"kind":"snapshot"`), first)
	}
	status, body := get(t, c, "GET", "", feed.Path, apiKey)
	require.Equal(t, 503, status)
	require.Contains(t, body, "SERVER_OVERLOADED")
}
