package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	caddyserver "github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/config"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimefake"
)

// The server under test is this test binary (see TestMain), with a fake backend in
// place of the one that runtime.type = "kubernetes" will name.
func init() { caddyserver.RegisterModule(fakeRuntime{}) }

type fakeRuntime struct{}

func (fakeRuntime) CaddyModule() caddyserver.ModuleInfo {
	return caddyserver.ModuleInfo{ID: "opensandbox.runtimes.kubernetes", New: func() caddyserver.Module { return new(fakeRuntime) }}
}

// OpenRuntime waits for the file "backend-gate" to go, so that a test sees what happens
// before the restore is complete.
func (fakeRuntime) OpenRuntime(ctx context.Context, c *config.Config, _ *slog.Logger) (lifecycle.Runtime, error) {
	dir := filepath.Dir(c.Store.Path)
	if _, err := os.Stat(filepath.Join(dir, "backend-down")); err == nil {
		return nil, fmt.Errorf("the backend is down")
	}
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		if _, err := os.Stat(filepath.Join(dir, "backend-gate")); err != nil {
			return runtimefake.New(), nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

const (
	wait = 20 * time.Second
	tick = 10 * time.Millisecond
	key  = "a-test-key-0123456789"
)

// server is one process under test.
type server struct {
	t    *testing.T
	dir  string
	addr string
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func newServer(t *testing.T) *server {
	t.Helper()
	return &server{t: t, dir: t.TempDir(), addr: freeAddress(t)}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) write(key string, extra string) {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.addr)
	require.NoError(s.t, err)
	text := fmt.Sprintf("[server]\nhost = \"127.0.0.1\"\nport = %s\napi_key = %q\n[runtime]\ntype = \"kubernetes\"\nexecd_image = \"example.test/execd:1\"\n[store]\npath = %q\n%s\n",
		port, key, s.path("store/edge.db"), extra)
	require.NoError(s.t, os.MkdirAll(s.path("store"), 0o700))
	require.NoError(s.t, os.WriteFile(s.path("sandbox.toml"), []byte(text), 0o600))
}

// Write collects the output.
func (s *server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

func (s *server) start(args ...string) {
	s.t.Helper()
	if args == nil {
		args = []string{"--config", s.path("sandbox.toml")}
	}
	s.cmd = exec.Command(os.Args[0], args...) //nolint:noctx // ended by stop or the test's own signals
	s.cmd.Env = []string{asProgram + "=1", "HOME=" + s.path("home"), "PATH=" + os.Getenv("PATH")}
	s.cmd.Stdout, s.cmd.Stderr = s, s
	require.NoError(s.t, s.cmd.Start())
	s.done = make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(s.done) }()
	s.t.Cleanup(func() { _ = s.cmd.Process.Kill(); <-s.done })
}

func (s *server) signal(number syscall.Signal) {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(number))
}

func (s *server) exit() int {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(wait):
		require.Fail(s.t, "the server did not stop", s.log())
	}
	return s.cmd.ProcessState.ExitCode()
}

func (s *server) status(target, key string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.addr+target, http.NoBody)
	require.NoError(s.t, err)
	if key != "" {
		req.Header.Set("OPEN-SANDBOX-API-KEY", key)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (s *server) eventually(what string, condition func() bool) {
	s.t.Helper()
	require.Eventually(s.t, condition, wait, tick, "%s; log:\n%s", what, s.log())
}

func (s *server) serving() {
	s.eventually("serving", func() bool { return s.status("/health", "") == http.StatusOK })
}

// listening returns the TCP ports that the process listens on, from the kernel's tables.
func (s *server) listening() []int {
	s.t.Helper()
	own := map[string]bool{}
	fds := fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid)
	entries, err := os.ReadDir(fds)
	require.NoError(s.t, err)
	for _, e := range entries {
		if link, err := os.Readlink(filepath.Join(fds, e.Name())); err == nil {
			own[link] = true
		}
	}
	var ports []int
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile("/proc/net/" + table)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			f := strings.Fields(line)
			const listen, udpOpen = "0A", "07"
			if len(f) < 10 || f[3] != listen && f[3] != udpOpen || !own["socket:["+f[9]+"]"] {
				continue
			}
			port, err := strconv.ParseUint(f[1][strings.IndexByte(f[1], ':')+1:], 16, 16)
			require.NoError(s.t, err)
			ports = append(ports, int(port))
		}
	}
	return ports
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}

// A start from the TOML opens one port and writes nothing outside of its own folders.
func TestOnePortAndNoFilesElsewhere(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	s.start()
	s.serving()
	require.Equal(t, []int{portOf(t, s.addr)}, s.listening())
	for _, page := range []string{"/docs", "/redoc", "/openapi.json", "/health"} {
		require.Equal(t, http.StatusOK, s.status(page, ""), page)
	}
	require.Equal(t, http.StatusUnauthorized, s.status("/v1/sandboxes", ""))
	require.Equal(t, http.StatusOK, s.status("/v1/sandboxes", key))
	s.signal(syscall.SIGTERM)
	require.Zero(t, s.exit(), s.log())

	require.NoDirExists(t, s.path("home"))
	err := filepath.Walk(s.dir, func(path string, info os.FileInfo, err error) error {
		require.NoError(t, err)
		if !info.IsDir() && path != s.path("sandbox.toml") {
			require.True(t, strings.HasPrefix(path, s.path("store/")), path)
		}
		if path != s.dir { // which the test made itself
			require.Zero(t, info.Mode().Perm()&0o077, "%s is %v", path, info.Mode())
		}
		return nil
	})
	require.NoError(t, err)
	require.NotContains(t, s.log(), key)
}

func TestMetricsHaveAPortOfTheirOwn(t *testing.T) {
	s := newServer(t)
	metrics := freeAddress(t)
	s.write(key, fmt.Sprintf("[metrics]\nlisten = %q", metrics))
	s.start()
	s.serving()
	require.ElementsMatch(t, []int{portOf(t, s.addr), portOf(t, metrics)}, s.listening())
	require.Equal(t, http.StatusNotFound, (&server{t: t, addr: metrics}).status("/v1/sandboxes", key))
	require.Equal(t, http.StatusOK, (&server{t: t, addr: metrics}).status("/metrics", ""))
}

// The port is bound only after the restore, and a signal ends a start that hangs.
func TestPortIsBoundAfterTheRestore(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	require.NoError(t, os.WriteFile(s.path("store/backend-gate"), nil, 0o600))
	s.start()
	s.eventually("starting", func() bool { return strings.Contains(s.log(), "starting") })
	require.Empty(t, s.listening())
	require.NoError(t, os.Remove(s.path("store/backend-gate")))
	s.serving()

	hanging := newServer(t)
	hanging.write(key, "")
	require.NoError(t, os.WriteFile(hanging.path("store/backend-gate"), nil, 0o600))
	hanging.start()
	hanging.eventually("starting", func() bool { return strings.Contains(hanging.log(), "starting") })
	hanging.signal(syscall.SIGINT)
	require.Zero(t, hanging.exit(), hanging.log())
}

func TestExitCodes(t *testing.T) {
	t.Run("port in use", func(t *testing.T) {
		s := newServer(t)
		taken, err := net.Listen("tcp", s.addr)
		require.NoError(t, err)
		defer taken.Close()
		s.write(key, "")
		s.start()
		require.Equal(t, 1, s.exit())
		require.Contains(t, s.log(), "address already in use")
		require.NoFileExists(t, s.path("store/edge.db"), "nothing was touched")
	})
	t.Run("no key", func(t *testing.T) {
		s := newServer(t)
		s.write("", "")
		s.start()
		require.Equal(t, 1, s.exit())
		require.Contains(t, s.log(), "Startup blocked")
	})
	t.Run("backend down", func(t *testing.T) {
		s := newServer(t)
		s.write(key, "")
		require.NoError(t, os.WriteFile(s.path("store/backend-down"), nil, 0o600))
		s.start()
		require.Equal(t, 3, s.exit())
		require.Contains(t, s.log(), "the backend is down")
		require.NotContains(t, s.log(), "goroutine")
	})
	t.Run("caddy start", func(t *testing.T) {
		s := newServer(t)
		s.start("caddy", "start")
		require.NotZero(t, s.exit())
	})
	t.Run("caddy validate", func(t *testing.T) {
		s := newServer(t)
		s.start("caddy", "validate", "--config", "../../Caddyfile.example", "--adapter", "caddyfile")
		require.Zero(t, s.exit(), s.log())
		require.Contains(t, s.log(), "Valid configuration")
	})
	t.Run("caddy adapt", func(t *testing.T) {
		s := newServer(t)
		s.write(key, "")
		s.start("caddy", "adapt", "--config", s.path("sandbox.toml"), "--adapter", "sandbox_toml")
		require.Zero(t, s.exit(), s.log())
		require.Contains(t, s.log(), "opensandbox_auth")
		require.NotContains(t, s.log(), key)
	})
}

func TestHangup(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	s.start()
	s.serving()
	s.write("another-key-0123456789", "[log]\nlevel = \"DEBUG\"")
	s.signal(syscall.SIGHUP)
	s.eventually("reloaded", func() bool { return strings.Contains(s.log(), "configuration reloaded") })
	require.Equal(t, http.StatusUnauthorized, s.status("/v1/sandboxes", key))
	require.Equal(t, http.StatusOK, s.status("/v1/sandboxes", "another-key-0123456789"))
	require.Contains(t, s.log(), "DEBUG")

	for i, broken := range []func(){
		func() { s.write("", "") },
		func() { s.write(key, "[runtim]\n[server") },
		func() { s.write(key, "[docker]\n[log]\nformat = \"json\"") }, // a key that needs a restart
	} {
		broken()
		s.signal(syscall.SIGHUP)
		s.eventually("refused", func() bool { return strings.Count(s.log(), "reload refused") == i+1 })
		require.Equal(t, http.StatusOK, s.status("/v1/sandboxes", "another-key-0123456789"))
	}
	require.Equal(t, 1, strings.Count(s.log(), "sandboxes restored"), "the state is opened once")
}

func TestReloadFlagWatchesTheFile(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	s.start("--reload", "--config", s.path("sandbox.toml"))
	s.serving()
	s.write("another-key-of-another-length-0123456789", "")
	s.eventually("reloaded", func() bool { return strings.Contains(s.log(), "configuration reloaded") })
}

// A second signal does not wait for a request that will not end; without it the bound does.
func TestSecondSignalExitsAtOnce(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	s.start()
	s.serving()
	// A request whose body never comes is inside the API handler.
	conn, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nOPEN-SANDBOX-API-KEY: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", key)
	require.NoError(t, err)
	answer := make([]byte, 12)
	_, err = io.ReadFull(conn, answer) // "100 Continue": the handler reads the body
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100", string(answer))

	s.signal(syscall.SIGTERM)
	s.eventually("stopping", func() bool { return strings.Contains(s.log(), "stopping") })
	select {
	case <-s.done:
		require.Fail(t, "the server did not wait for the request", s.log())
	case <-time.After(300 * time.Millisecond): // it has every chance to leave too early
	}
	s.signal(syscall.SIGINT)
	require.Equal(t, 128+int(syscall.SIGINT), s.exit())
}

func TestInertKeysAreNamed(t *testing.T) {
	s := newServer(t)
	s.write(key, "")
	text, err := os.ReadFile(s.path("sandbox.toml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.path("sandbox.toml"), []byte(strings.Replace(string(text), "[server]", "[server]\nloop = \"uvloop\"", 1)), 0o600))
	s.start()
	s.serving()
	require.Contains(t, s.log(), "server.loop")
}
