//go:build docker

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// gateway runs a process that is a gateway in front of s alone, and waits until it knows
// the sandboxes.
func gateway(t *testing.T, s *edge.Server, extra string) *edge.Server {
	t.Helper()
	g, err := edge.NewGateway(s, t.TempDir(), extra)
	require.NoError(t, err)
	t.Cleanup(func() {
		g.Kill()
		if t.Failed() {
			t.Logf("log of the gateway:\n%s", g.Log())
		}
	})
	require.NoError(t, g.Start(t.Context()))
	synced(t, g)
	return g
}

func synced(t *testing.T, g *edge.Server) {
	t.Helper()
	eventually(t, func() error { return g.Call(t.Context(), "GET", "/health/ready", nil, nil) })
}

// following waits until the gateway hears of its lifecycle server again.
func following(t *testing.T, g *edge.Server) {
	t.Helper()
	eventually(t, func() error {
		var state struct{ Components map[string]string }
		err := g.Call(t.Context(), "GET", "/health/ready", nil, &state)
		if err == nil && state.Components["control"] != "ok" {
			err = errNotYet
		}
		return err
	})
}

// web is a sandbox whose program echoes over WebSocket on port 8080.
func web(t *testing.T, s *edge.Server) (edge.Sandbox, string) {
	t.Helper()
	r := request(s)
	r.Entrypoint = []string{"/usr/bin/demo-web"}
	return create(t, s, r)
}

// dial opens the echo of a web sandbox.
func dial(t *testing.T, s *edge.Server, form edge.Form, id string) *websocket.Conn {
	t.Helper()
	route := s.Route(form, id, 8080, "")
	t.Cleanup(route.Close)
	var conn *websocket.Conn
	// Running means that execd answers; the sandbox's own program may need a moment more.
	eventually(t, func() (err error) {
		conn, err = route.WebSocket(t.Context(), "/ws")
		return err
	})
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

func requireEcho(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte(text)))
	_, echo, err := conn.Read(ctx)
	require.NoError(t, err)
	require.Contains(t, string(echo), text)
}

// TestGatewaysServeTheSandboxesOfALifecycleServer: they have no engine (threat row K11).
func TestGatewaysServeTheSandboxesOfALifecycleServer(t *testing.T) {
	s := start(t, "")
	before, token := web(t, s)
	gateways := []*edge.Server{gateway(t, s, ""), gateway(t, s, "")}
	after, afterToken := web(t, s) // heard of by the feed
	r := request(s)
	r.Entrypoint, r.SecureAccess = []string{"/usr/bin/demo-web"}, true
	secured, _ := create(t, s, r)
	endpoint, err := s.Endpoint(t.Context(), secured.ID, 8080, "")
	require.NoError(t, err)
	access := endpoint.Headers["OpenSandbox-Secure-Access"]
	require.NotEmpty(t, access)
	for i, g := range gateways {
		for _, form := range edge.Forms {
			route := g.Route(form, before.ID, 44772, token)
			out, err := route.Command(t.Context(), "echo through")
			require.NoError(t, err, form)
			require.Equal(t, "through\n", out)
			path := fmt.Sprintf("/tmp/%s-%d", form, i)
			require.NoError(t, route.Upload(t.Context(), path, strings.NewReader("content")))
			got, err := route.Download(t.Context(), path)
			require.NoError(t, err)
			require.Equal(t, "content", got)
			route.Close()
			requireEcho(t, dial(t, g, form, before.ID), string(form))

			// Access is checked here, by hashes alone.
			wrong := g.Route(form, before.ID, 44772, "wrong")
			status, body, err := wrong.Read(t.Context(), http.MethodPost, "/command", strings.NewReader("{}"), "application/json")
			wrong.Close()
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, status, body)
		}
		route := g.Route(edge.Direct, after.ID, 44772, afterToken)
		eventually(t, func() error {
			_, err := route.Command(t.Context(), "true")
			return err
		})
		route.Close()

		for _, form := range edge.Forms {
			closed := g.Route(form, secured.ID, 8080, "")
			open := closed.With("OpenSandbox-Secure-Access", access)
			eventually(t, func() error {
				status, body, err := open.Read(t.Context(), http.MethodGet, "/", nil, "")
				if err == nil && status != http.StatusOK {
					err = fmt.Errorf("%d %s", status, body)
				}
				return err
			})
			status, _, err := closed.Read(t.Context(), http.MethodGet, "/", nil, "")
			closed.Close()
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, status, form)
		}

		requireStatus(t, g.Call(t.Context(), "GET", "/v1/sandboxes", nil, nil), 404, "GENERAL::NOT_FOUND")
		_, err = g.Create(t.Context(), request(s))
		requireStatus(t, err, 404, "GENERAL::NOT_FOUND")
		require.ErrorContains(t, err, "lifecycle server")
		requireStatus(t, g.Call(t.Context(), "GET", "/v1/directory", nil, nil), 404, "GENERAL::NOT_FOUND")
		unknown := g.Route(edge.URI, "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", 80, "")
		status, _, err := unknown.Read(t.Context(), http.MethodGet, "/", nil, "")
		unknown.Close()
		require.NoError(t, err)
		require.Equal(t, 404, status)

		left, err := filepath.Glob(filepath.Join(g.Dir, "*"))
		require.NoError(t, err)
		require.Equal(t, []string{g.ConfigPath()}, left, "a gateway keeps nothing")
		require.NotContains(t, g.Log(), token)
	}
	// A delete ends what runs through any gateway within a second (threat row A8).
	stream := ticks(t, gateways[0], after.ID, afterToken)
	requireTicks(t, stream, 1)
	var open []*websocket.Conn
	for _, g := range gateways {
		open = append(open, dial(t, g, edge.Wildcard, after.ID))
		requireEcho(t, open[len(open)-1], "still there")
	}
	require.NoError(t, s.Delete(t.Context(), after.ID))
	deleted := time.Now()
	for _, conn := range open {
		_, _, err := conn.Read(t.Context())
		require.Error(t, err)
	}
	for stream.Scan() { // to its end
		continue
	}
	require.Less(t, time.Since(deleted), promptly)
	eventually(t, func() error {
		route := gateways[1].Route(edge.URI, after.ID, 8080, "")
		defer route.Close()
		status, body, err := route.Read(t.Context(), http.MethodGet, "/", nil, "")
		if err == nil && status != 404 {
			err = fmt.Errorf("%d %s", status, body)
		}
		return err
	})
}

// ticks is an event stream without an end.
func ticks(t *testing.T, s *edge.Server, id, token string) *bufio.Scanner {
	t.Helper()
	route := s.Route(edge.Header, id, 44772, token)
	t.Cleanup(route.Close)
	res, err := route.Do(t.Context(), http.MethodPost, "/command",
		strings.NewReader(`{"command":"while true; do echo tick; sleep 0.05; done"}`), "application/json")
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	return bufio.NewScanner(res.Body)
}

func requireTicks(t *testing.T, stream *bufio.Scanner, n int) {
	t.Helper()
	for got := 0; got < n; {
		require.True(t, stream.Scan(), "the stream goes on: %v", stream.Err())
		got += strings.Count(stream.Text(), "tick")
	}
}

// TestAGatewayOutlivesItsLifecycleServer kills the server with SIGKILL, and stops it.
func TestAGatewayOutlivesItsLifecycleServer(t *testing.T) {
	s := start(t, "")
	sandbox, token := web(t, s)
	g := gateway(t, s, "")
	conn := dial(t, g, edge.Wildcard, sandbox.ID)
	stream := ticks(t, g, sandbox.ID, token)
	route := g.Route(edge.URI, sandbox.ID, 8080, "")
	defer route.Close()
	requireServed := func() {
		t.Helper()
		status, body, err := route.Read(t.Context(), http.MethodGet, "/", nil, "")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, body)
	}
	requireServed()
	for name, end := range map[string]func(){
		"killed": func() {
			s.Kill()
			requireServed() // what was dialled before, and for a moment what was not
		},
		"stopped": func() {
			began := time.Now()
			require.NoError(t, s.Stop())
			require.Less(t, time.Since(began), promptly, "the feed holds up no stop")
		},
	} {
		end()
		requireEcho(t, conn, name)
		requireTicks(t, stream, 10)
		synced(t, g) // it serves from memory

		// A new connection to an address that cannot be confirmed is not made (threat row K9).
		// Every WebSocket takes a connection that is open, or needs a new one.
		other := g.Route(edge.URI, sandbox.ID, 8080, "")
		eventually(t, func() error {
			another, err := other.WebSocket(t.Context(), "/ws")
			if err == nil {
				t.Cleanup(func() { _ = another.CloseNow() })
				return errNotYet
			}
			if !strings.Contains(err.Error(), "503") {
				return edge.Final(err)
			}
			return nil
		})
		other.Close()
		requireEcho(t, conn, name+" for long")
		requireTicks(t, stream, 10)
		require.NoError(t, s.Start(t.Context()))
		eventually(t, func() error {
			fresh := g.Route(edge.URI, sandbox.ID, 44772, token)
			defer fresh.Close()
			_, err := fresh.Command(t.Context(), "true")
			return err
		})
		following(t, g)
		requireEcho(t, conn, "after it was "+name)
		requireTicks(t, stream, 10)
	}
	began := time.Now()
	require.NoError(t, s.Delete(t.Context(), sandbox.ID))
	deleted := time.Now()
	_, _, err := conn.Read(t.Context())
	require.Error(t, err, "the stream of a deleted sandbox ends")
	require.Less(t, time.Since(deleted), promptly, "the delete itself took %s", deleted.Sub(began))
}
