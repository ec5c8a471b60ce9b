package caddymodule

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
)

// wire is one raw connection of a client.
type wire struct {
	t *testing.T
	net.Conn
	in   *bufio.Reader
	host string
}

func (r *rig) dial() *wire {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	require.NoError(r.t, err)
	require.NoError(r.t, conn.SetDeadline(time.Now().Add(wait)))
	r.t.Cleanup(func() { _ = conn.Close() })
	return &wire{r.t, conn, bufio.NewReader(conn), r.addr}
}

// get sends a request and returns the answer.
func (w *wire) get(path string, headers ...string) answer {
	w.t.Helper()
	_, err := fmt.Fprintf(w, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, w.host, strings.Join(append(headers, ""), "\r\n"))
	require.NoError(w.t, err)
	res, err := http.ReadResponse(w.in, nil)
	require.NoError(w.t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return answer{res.StatusCode, res.Header, string(body)}
}

// proxyPath places a sandbox that says who asked, and returns the path of its port.
func (r *rig) proxyPath() string {
	port := r.place(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %s %q", r.Method, r.URL, r.Header["X_odd"])
	}))
	return fmt.Sprintf("/sandboxes/%s/proxy/%d", sandboxID, port)
}

// kept is how many connections are in the lane.
func kept() int { return pooledState().edge().parts.clients.Len() }

func TestAClientStaysWhereItsRequestsAre(t *testing.T) {
	r := newRig(t)
	path := r.proxyPath()
	r.load(r.toml(testKey))
	c := r.dial()
	for range 3 {
		require.Equal(t, 200, c.get("/health").status)
		require.Zero(t, kept())
		require.Equal(t, `GET /a []`, c.get(path+"/a").body)
		require.Equal(t, 1, kept())
		require.Equal(t, `GET /b?c=d []`, c.get(path+"/b?c=d", "X_odd: 1").body, "Caddy's rule about underscores holds as well")
		require.Equal(t, 1, kept())
		require.Equal(t, 401, c.get("/v1/sandboxes").status)
		require.Zero(t, kept())
	}
	_, err := fmt.Fprintf(c, "POST %s/ HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\n\r\nhiGET %s/next HTTP/1.1\r\nHost: %s\r\n\r\n", path, r.addr, path, r.addr)
	require.NoError(t, err)
	for range 2 {
		res, err := http.ReadResponse(c.in, nil)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, res.Body)
		require.Equal(t, 200, res.StatusCode)
	}
	require.Equal(t, 1, kept(), "the second one was taken over with what was read of it")
}

// The configuration in force decides about the next request of a connection.
func TestKeepingClientsCanBeSwitchedOff(t *testing.T) {
	r := newRig(t)
	path := r.proxyPath()
	r.load(r.toml(testKey))
	c := r.dial()
	c.get(path + "/")
	require.Equal(t, 1, kept())
	r.load(r.toml(testKey, "[ingress]\nkeep_clients = false"))
	require.Equal(t, 200, c.get(path+"/").status)
	require.Zero(t, kept())
	r.load(r.toml(testKey))
	c = r.dial()
	require.Equal(t, 200, c.get(path+"/").status)
	require.Equal(t, 1, kept())
	// Hosts and keys of the new configuration hold at once (threat row A8).
	edit(t, r.toml(testKey), "[server]", "[server]\nrequire_access = \"key\"")
	r.load(filepath.Join(r.dir, "sandbox.toml"))
	require.Equal(t, 401, c.get(path+"/").status)
	require.Equal(t, 200, c.get(path+"/", keyHeader(testKey)).status)
}

func TestClientsAreKeptOnlyWhereNothingIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		config func(*config.Config)
		server *caddyhttp.Server
		kept   bool
	}{
		"plain":              {kept: true},
		"with an access log": {server: &caddyhttp.Server{Logs: &caddyhttp.ServerLogConfig{DefaultLoggerName: "log0"}}, kept: true},
		"switched off":       {config: func(c *config.Config) { c.Ingress.KeepClients = false }},
		"traced":             {config: func(c *config.Config) { c.Tracing.Enabled = true }},
		"own underscores":    {server: &caddyhttp.Server{ExpectedUnderscoreHeaders: []string{"x_y"}}},
		"own dots":           {server: &caddyhttp.Server{ExpectedDotHeaders: []string{"x.y"}}},
		"logs of some hosts": {server: &caddyhttp.Server{Logs: &caddyhttp.ServerLogConfig{SkipHosts: []string{"a"}}}},
		"log of one host":    {server: &caddyhttp.Server{Logs: &caddyhttp.ServerLogConfig{LoggerNames: map[string]caddyhttp.StringArray{"a": {"b"}}}}},
	} {
		settings := &settings{config: &config.Config{Ingress: config.Ingress{KeepClients: true}}}
		if c.config != nil {
			c.config(settings.config)
		}
		if c.server == nil {
			c.server = new(caddyhttp.Server)
		}
		settings.keepClients(caddyContext(t), c.server)
		require.Equal(t, c.kept, len(settings.clientServers) > 0, name)
	}
}

// Whoever serves a request, its access line is the same.
func TestAccessLinesOfKeptClients(t *testing.T) {
	r := newRig(t)
	path := r.proxyPath()
	file := r.toml(testKey)
	edit(t, file, "[log]", "[log]\nformat = \"json\"")
	r.load(file)
	c := r.dial()
	for i := range 3 {
		require.Equal(t, 200, c.get(path+"/", fmt.Sprint("X-Request-ID: kept-", i)).status)
	}
	require.Equal(t, 200, r.dial().get(path+"/", "X-Request-ID: once", "Connection: close").status)
	var lines []string
	require.Eventually(t, func() bool {
		lines = strings.Split(strings.TrimSpace(readFile(t, filepath.Join(r.dir, "access.log"))), "\n")
		return len(lines) >= 4
	}, wait, tick)
	require.Len(t, lines, 4, "one line per request")
	names := func(line string) (all []string) {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &m))
		for name := range m {
			all = append(all, name)
		}
		return all
	}
	want := names(lines[3])
	require.Contains(t, lines[3], `"once"`)
	for i, line := range lines[:3] {
		require.Contains(t, line, fmt.Sprintf(`"kept-%d"`, i))
		require.Contains(t, line, sandboxID)
		require.ElementsMatch(t, want, names(line), line)
	}
}

// A stop lets requests of kept clients end, and closes those that wait.
func TestStoppingWithKeptClients(t *testing.T) {
	r := newRig(t)
	path := r.proxyPath()
	r.load(r.toml(testKey))
	c := r.dial()
	c.get(path + "/")
	ctx := t.Context()
	pooledState().shutdownClients(ctx)
	_, err := c.in.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 200, r.dial().get(path+"/", "Upgrade: x").status, "the servers go on until they are stopped")
}

// A WebSocket leaves Caddy's server with its handshake, and nothing of that server stays
// in memory for it. Until the sandbox has agreed to one, the guard looks on: behind a
// handshake that fails come requests (threat row B1).
func TestAWebSocketLeavesCaddyWithItsHandshake(t *testing.T) {
	r := newRig(t)
	var requests atomic.Int64
	port := r.place(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		requests.Add(1)
		if !strings.HasSuffix(req.URL.Path, "/ws") {
			return // 200 is no 101
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		// The accept of this very key, from RFC 6455 §1.3.
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
		_, _ = io.Copy(conn, buffered)
	}))
	path := fmt.Sprintf("/sandboxes/%s/proxy/%d", sandboxID, port)
	file := r.toml(testKey)
	edit(t, file, "[log]", "[log]\nformat = \"json\"")
	r.load(file)
	handshake := func(target, behind string) *wire {
		c := r.dial()
		_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n%s", target, r.addr, behind)
		require.NoError(t, err)
		return c
	}

	c := handshake(path+"/ws", "early")
	res, err := http.ReadResponse(c.in, nil)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	_, err = io.WriteString(c, "later")
	require.NoError(t, err)
	echo := make([]byte, len("earlylater"))
	_, err = io.ReadFull(c.in, echo)
	require.NoError(t, err)
	require.Equal(t, "earlylater", string(echo))
	require.NoError(t, c.Close())
	require.Eventually(t, func() bool {
		return strings.Contains(readFile(t, filepath.Join(r.dir, "access.log")), `"status":101`)
	}, wait, tick, "which Caddy would not write")

	c = handshake(path+"/none", "GET "+path+"/behind HTTP/1.1\nHost: a\n\n")
	for _, status := range []int{200, 400} {
		res, err = http.ReadResponse(c.in, nil)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, res.Body)
		require.Equal(t, status, res.StatusCode)
	}
	_, err = c.in.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	require.EqualValues(t, 2, requests.Load())
}
