//go:build docker

package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/redistest"
	"github.com/opensandbox-edge/edge/test/edge"
)

// TestAccessesThroughAGatewayRenew: the lifecycle server carries no request of the sandbox
// and hears of them through a real Redis, which is away for a while.
func TestAccessesThroughAGatewayRenew(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	list := fmt.Sprintf("\n[renew_intent.redis]\nenabled = true\ndsn = %q\n", redis.SocketURL())
	s := start(t, list)
	g := gateway(t, s, "[renew_intent]\nenabled = true\nmin_interval_seconds = 1\n"+list)
	r := request(s)
	r.Timeout = 120
	r.Extensions = map[string]string{"access.renew.extend.seconds": "600"}
	sandbox, token := create(t, s, r)
	route := g.Route(edge.URI, sandbox.ID, 44772, token)
	defer route.Close()
	expires := func() time.Time {
		t.Helper()
		got, err := s.Get(t.Context(), sandbox.ID)
		require.NoError(t, err)
		return *got.ExpiresAt
	}
	use := func(route edge.Route) {
		t.Helper()
		eventually(t, func() error { // the feed may not have told of it yet
			_, err := route.Command(t.Context(), "true")
			return err
		})
	}
	renewed := func(after time.Time) error {
		use(route)
		if !expires().After(after) {
			return errNotYet
		}
		return nil
	}

	use(route.With("OpenSandbox-Access-Renew", "skip"))
	refused := g.Route(edge.URI, sandbox.ID, 44772, "wrong")
	defer refused.Close()
	status, _, err := refused.Read(t.Context(), http.MethodPost, "/command", http.NoBody, "application/json")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Never(t, func() bool { return !expires().Equal(*sandbox.ExpiresAt) }, 500*time.Millisecond, 50*time.Millisecond)

	eventually(t, func() error { return renewed(sandbox.ExpiresAt.Add(5 * time.Minute)) })
	redis.Stop()
	use(route) // nobody waits for Redis
	redis.Start()
	eventually(t, func() error { return renewed(expires()) })
	for _, log := range []string{s.Log(), g.Log()} {
		require.NotContains(t, log, redistest.Password)
	}
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
}
