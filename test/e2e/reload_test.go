//go:build docker

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// carriers are the ways in which requests can be carried; each reload changes to the next.
var carriers = []string{
	"proxy_core = \"direct\"\nkeep_clients = true\n",
	"proxy_core = \"nethttp\"\nkeep_clients = true\n",
	"proxy_core = \"nethttp\"\nkeep_clients = false\n",
	"proxy_core = \"direct\"\nkeep_clients = false\n",
}

// TestReloadsUnderTrafficLoseNothing reloads the configuration a hundred times while
// requests run and a WebSocket and an event stream stay open, and changes each time how
// requests are carried. Nothing is tried again.
func TestReloadsUnderTrafficLoseNothing(t *testing.T) {
	s := start(t, "")
	r := request(s)
	r.Entrypoint = []string{"/usr/bin/demo-web"}
	sandbox, token := create(t, s, r)

	web := s.Route(edge.Wildcard, sandbox.ID, 8080, "")
	defer web.Close()
	var conn *websocket.Conn
	// Running means that execd answers; the sandbox's own program may need a moment more.
	eventually(t, func() (err error) {
		conn, err = web.WebSocket(t.Context(), "/ws")
		return err
	})
	defer conn.CloseNow()

	execd := s.Route(edge.Header, sandbox.ID, 44772, token)
	defer execd.Close()
	stream, err := execd.Do(t.Context(), http.MethodPost, "/command",
		strings.NewReader(`{"command":"while [ ! -e /tmp/enough ]; do echo tick; sleep 0.01; done"}`), "application/json")
	require.NoError(t, err)
	defer stream.Body.Close()

	ctx, stop := context.WithCancel(t.Context())
	var traffic sync.WaitGroup
	served := make([]atomic.Int64, len(edge.Forms))
	for i, form := range edge.Forms {
		traffic.Go(func() {
			route := s.Route(form, sandbox.ID, 8080, "")
			defer route.Close()
			for ctx.Err() == nil {
				status, body, err := route.Read(t.Context(), http.MethodGet, "/", nil, "")
				if err != nil || status != http.StatusOK {
					t.Errorf("%s route during a reload: %d %q %v", form, status, body, err)
					return
				}
				served[i].Add(1)
			}
		})
	}

	edit(t, s, "[ingress]\n", "[ingress]\n"+carriers[0])
	for i := range 100 {
		edit(t, s, carriers[i%len(carriers)], carriers[(i+1)%len(carriers)])
		before := make([]int64, len(served))
		for form := range served {
			before[form] = served[form].Load()
		}
		reloads := strings.Count(s.Log(), "configuration reloaded")
		require.NoError(t, s.Signal(syscall.SIGHUP))
		eventually(t, func() error {
			if strings.Count(s.Log(), "configuration reloaded") <= reloads {
				return errNotYet
			}
			return nil
		})
		require.NoError(t, conn.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, "after reload %d", i)))
		_, echo, err := conn.Read(t.Context())
		require.NoError(t, err)
		require.Contains(t, string(echo), fmt.Sprintf("after reload %d", i))
		eventually(t, func() error {
			for form := range served {
				if served[form].Load() <= before[form] {
					return fmt.Errorf("%s carried no traffic over the reload", edge.Forms[form])
				}
			}
			return nil
		})
	}
	stop()
	traffic.Wait()

	_, err = execd.Command(t.Context(), "touch /tmp/enough")
	require.NoError(t, err)
	ticks, complete := 0, false
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		ticks += strings.Count(lines.Text(), `"tick"`)
		complete = complete || strings.Contains(lines.Text(), "execution_complete")
	}
	require.True(t, complete, "the stream ended in its own time")
	require.Positive(t, ticks)

	got, err := s.Get(t.Context(), sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, "Running", got.Status.State)
}

func TestABadFileKeepsTheOldConfigurationServing(t *testing.T) {
	s := start(t, "")
	edit(t, s, "[runtime]", "[runtim]")
	require.NoError(t, s.Signal(syscall.SIGHUP))
	eventually(t, func() error {
		if !strings.Contains(s.Log(), "reload refused") {
			return errNotYet
		}
		return nil
	})
	sandbox, _ := create(t, s, request(s))
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))

	began := time.Now()
	require.NoError(t, s.Stop())
	require.Less(t, time.Since(began), 30*time.Second)
	require.Zero(t, s.ExitCode())
}

func TestAnExpiryFiresAfterAReload(t *testing.T) {
	s := start(t, "")
	sandbox, _ := create(t, s, request(s))
	require.NoError(t, s.Renew(t.Context(), sandbox.ID, time.Now().Add(5*time.Second)))
	require.NoError(t, s.Signal(syscall.SIGHUP))
	eventually(t, func() error {
		if !strings.Contains(s.Log(), "configuration reloaded") {
			return errNotYet
		}
		return nil
	})
	taken(t, s, sandbox.ID)
}
