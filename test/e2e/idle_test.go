//go:build docker

package e2e

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// Two sandboxes may be idle for a minute. One is only asked about by the API, through a
// crash of the server, and goes; the other one has a single stream with a word now
// and then, and stays.
func TestIdleSandboxesGoAndUsedOnesStay(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	r := request(s)
	r.Timeout = 3600
	r.Extensions = map[string]string{"access.idle.timeout.seconds": "60"}
	unused, _ := create(t, s, r)
	begun := time.Now()
	used, token := create(t, s, r)
	require.WithinDuration(t, begun.Add(time.Hour), *unused.ExpiresAt, time.Minute, "answers tell of the expiry")

	s.Kill()
	require.NoError(t, s.Start(t.Context()))

	stream := make(chan error, 1)
	go func() {
		route := s.Route(edge.Direct, used.ID, 44772, token)
		defer route.Close()
		out, err := route.Command(t.Context(), "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo x; sleep 5; done")
		if err == nil && len(out) != 32 {
			err = errors.New("the stream was cut: " + out)
		}
		stream <- err
	}()
	gone := func() bool {
		_, err := s.Get(t.Context(), unused.ID)
		return err != nil
	}
	require.Eventually(t, gone, 3*time.Minute, 250*time.Millisecond)
	idle := time.Since(begun)
	require.Greater(t, idle, 59*time.Second, "removed too early")
	require.Less(t, idle, 2*time.Minute, "removed too late")
	requireGone(t, s, unused.ID)

	require.NoError(t, <-stream)
	got, err := s.Get(t.Context(), used.ID)
	require.NoError(t, err)
	require.Equal(t, "Running", got.Status.State)
	require.NoError(t, s.Delete(t.Context(), used.ID))
}
