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
	"github.com/opensandbox-edge/edge/internal/porttest"
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
	wait = time.Minute
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
	return &server{t: t, dir: t.TempDir(), addr: porttest.Reserve(t).String()}
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
