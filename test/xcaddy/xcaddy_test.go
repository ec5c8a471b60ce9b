//go:build xcaddy

package xcaddy

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/opensandbox-edge/edge/test/edge"
)

const instance = "caddyfile-example"

// TestTheExampleRunsInAStockCaddy takes the example as it is; only its two ports and its
// instance label move out of the way of whatever else runs here.
func TestTheExampleRunsInAStockCaddy(t *testing.T) {
	dir := t.TempDir()
	api, metrics := freeAddr(t), freeAddr(t)
	_, port, _ := net.SplitHostPort(api)
	own := "test-xcaddy-" + port
	copyFile(t, "Caddyfile.example", dir, strings.NewReplacer(":8080", ":"+port, "127.0.0.1:9464", metrics))
	copyFile(t, "sandbox.example.toml", dir, strings.NewReplacer("8080", port, instance, own))

	const key = "0123456789abcdef0123456789abcdef"
	var log strings.Builder
	caddy := exec.Command(fromEnv(t, "EDGE_CADDY"), "run", "--config", "Caddyfile.example", "--adapter", "caddyfile")
	caddy.Dir = dir
	caddy.Env = append(os.Environ(), "HOME="+dir, "XDG_RUNTIME_DIR="+dir, "XDG_STATE_HOME="+dir, "OPENSANDBOX_SERVER_API_KEY="+key)
	caddy.Stdout, caddy.Stderr = &log, &log
	require.NoError(t, caddy.Start())
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			_ = caddy.Process.Signal(os.Interrupt)
			_ = caddy.Wait()
		}
	}
	server := &edge.Server{Addr: api, Key: key, Instance: own}
	t.Cleanup(func() {
		stop()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, server.RemoveContainers(ctx))
		if t.Failed() {
			t.Log(log.String())
		}
	})

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	request := edge.CreateRequest{Entrypoint: []string{"/usr/bin/demo-web"}, Timeout: 300}
	request.Image.URI = fromEnv(t, "EDGE_DEMO_IMAGE")
	var sandbox edge.Sandbox
	// The state opens in the background; until then handlers answer 503.
	require.NoError(t, edge.Until(ctx, func() (err error) {
		_, err = server.List(ctx, nil)
		return err
	}))
	sandbox, err := server.Create(ctx, request)
	require.NoError(t, err)
	endpoint, err := server.Endpoint(ctx, sandbox.ID, 44772, "")
	require.NoError(t, err)
	token := endpoint.Headers["X-EXECD-ACCESS-TOKEN"]

	for _, route := range []edge.Route{
		server.Route(edge.Direct, sandbox.ID, 44772, token),
		server.Route(edge.Wildcard, sandbox.ID, 44772, token),
		server.Route(edge.URI, sandbox.ID, 44772, token).At("gateway.localhost:" + port),
		server.Route(edge.Header, sandbox.ID, 44772, token).At("gateway.localhost:" + port),
	} {
		out, err := route.Command(ctx, "echo through caddy")
		require.NoError(t, err)
		require.Equal(t, "through caddy\n", out)
		route.Close()
	}

	requireExtendedConnect(t, api)

	// A reload through the admin socket keeps the sandbox, its lease and open streams.
	web := server.Route(edge.Wildcard, sandbox.ID, 8080, "")
	defer web.Close()
	var conn *websocket.Conn
	require.NoError(t, edge.Until(ctx, func() (err error) {
		conn, err = web.WebSocket(ctx, "/ws")
		return err
	}))
	defer conn.CloseNow()
	reload := exec.Command(caddy.Path, "reload", "--config", "Caddyfile.example", "--adapter", "caddyfile",
		"--address", "unix/"+filepath.Join(dir, "opensandbox-admin.sock"))
	reload.Dir, reload.Env = dir, caddy.Env
	out, err := reload.CombinedOutput()
	require.NoError(t, err, "%s", out)
	got, err := server.Get(ctx, sandbox.ID)
	require.NoError(t, err)
	require.Equal(t, "Running", got.Status.State)
	require.Equal(t, sandbox.ExpiresAt, got.ExpiresAt)
	require.NoError(t, conn.Write(ctx, websocket.MessageText, []byte("after the reload")))
	_, echo, err := conn.Read(ctx)
	require.NoError(t, err)
	require.Contains(t, string(echo), "after the reload")

	// Leases end on time after it.
	require.NoError(t, server.Renew(ctx, sandbox.ID, time.Now().Add(5*time.Second)))
	require.NoError(t, edge.Until(ctx, func() error {
		left, err := server.Containers(ctx)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("still there: %v", left)
		}
		return err
	}))
	second, err := server.Create(ctx, request)
	require.NoError(t, err)
	sandbox = second

	require.NoError(t, server.Delete(ctx, sandbox.ID))
	left, err := server.Containers(ctx)
	require.NoError(t, err)
	require.Empty(t, left)
	stop()
	require.NotContains(t, log.String(), key)
	require.NotContains(t, log.String(), token)
}

// requireExtendedConnect: WebSockets over HTTP/2 need a switch that our modules turn.
func requireExtendedConnect(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = c.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	framer := http2.NewFramer(c, c)
	require.NoError(t, framer.WriteSettings())
	frame, err := framer.ReadFrame()
	require.NoError(t, err)
	value, _ := frame.(*http2.SettingsFrame).Value(http2.SettingEnableConnectProtocol)
	require.EqualValues(t, 1, value)
}

func copyFile(t *testing.T, name, dir string, changes *strings.Replacer) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", name))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(changes.Replace(string(text))), 0o600))
}

func fromEnv(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	require.NotEmpty(t, v, "set %s, or run `make test-xcaddy`", name)
	return v
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
