//go:build docker

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// privateEngine is a Docker Engine of the test's own, which it may stop and start: its
// folders, socket and bridge are nobody else's.
type privateEngine struct {
	dir, bridge string
	liveRestore bool
	cmd         *exec.Cmd
	log         bytes.Buffer
}

// startEngine runs an engine for the time of the test, with the images of the suite.
// subnet is the address of its bridge, such as "10.231.7.1/24".
func startEngine(t *testing.T, subnet string, liveRestore bool) *privateEngine {
	t.Helper()
	dir, err := os.MkdirTemp("", "ob") // short: it holds Unix sockets
	require.NoError(t, err)
	e := &privateEngine{dir: dir, bridge: fmt.Sprintf("ob%d", os.Getpid()%100000), liveRestore: liveRestore}
	if liveRestore {
		e.bridge += "l"
	}
	run(t, nil, "ip", "link", "add", "name", e.bridge, "type", "bridge")
	t.Cleanup(func() { e.remove(t) })
	run(t, nil, "ip", "addr", "add", subnet, "dev", e.bridge)
	run(t, nil, "ip", "link", "set", e.bridge, "up")
	e.start(t)
	for _, image := range []string{fromEnv(t, "EDGE_EXECD_IMAGE"), fromEnv(t, "EDGE_DEMO_IMAGE")} {
		var archive bytes.Buffer
		save := exec.CommandContext(t.Context(), "docker", "save", image)
		save.Stdout = &archive
		require.NoError(t, save.Run(), image)
		run(t, &archive, "docker", "-H", e.host(), "load")
	}
	return e
}

func (e *privateEngine) host() string { return "unix://" + filepath.Join(e.dir, "docker.sock") }

// start starts the daemon and waits until it answers.
func (e *privateEngine) start(t *testing.T) {
	t.Helper()
	args := []string{
		"--host", e.host(), "--data-root", filepath.Join(e.dir, "data"), "--exec-root", filepath.Join(e.dir, "exec"),
		"--pidfile", filepath.Join(e.dir, "docker.pid"), "--bridge", e.bridge,
		"--iptables=false", "--ip6tables=false", "--ip-masq=false", fmt.Sprintf("--live-restore=%t", e.liveRestore),
	}
	e.cmd = exec.Command("dockerd", args...) //nolint:noctx // it is stopped, not killed
	e.cmd.Stdout, e.cmd.Stderr = &e.log, &e.log
	require.NoError(t, e.cmd.Start())
	eventually(t, func() error { return exec.CommandContext(t.Context(), "docker", "-H", e.host(), "info").Run() })
}

// stop ends the daemon as a service manager does.
func (e *privateEngine) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, e.cmd.Process.Signal(syscall.SIGTERM))
	_ = e.cmd.Wait() // its exit code does not matter
	e.cmd = nil
	if !e.liveRestore {
		// A container that was being started as this engine stopped keeps its root mounted, and
		// could not be removed later; a service manager ends such mounts with the engine's
		// namespace.
		mounts, err := filepath.Glob(filepath.Join(e.dir, "data", "overlay2", "*", "merged"))
		require.NoError(t, err)
		for _, mount := range mounts {
			_ = syscall.Unmount(mount, syscall.MNT_DETACH) // most are no mounts any more
		}
	}
}

func (e *privateEngine) remove(t *testing.T) {
	if e.cmd != nil {
		out, _ := exec.Command("docker", "-H", e.host(), "ps", "-aq").Output()                                             //nolint:noctx // the test's context has ended
		_ = exec.Command("docker", append([]string{"-H", e.host(), "rm", "-fv"}, strings.Fields(string(out))...)...).Run() //nolint:noctx // likewise
		e.stop(t)
	}
	if t.Failed() {
		text := e.log.String()
		t.Logf("the engine's log ends with:\n%s", text[max(0, len(text)-8000):])
	}
	e.killShims()
	_ = exec.Command("ip", "link", "del", e.bridge).Run() //nolint:noctx // the test's context has ended
	mounts, err := os.ReadFile("/proc/self/mounts")
	require.NoError(t, err)
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], e.dir+"/") {
			_ = syscall.Unmount(fields[1], syscall.MNT_DETACH)
		}
	}
	require.NoError(t, os.RemoveAll(e.dir))
}

// killShims ends what watches over containers that this engine forgot, because it stopped
// while it started them. Its folder in their arguments tells them from all others.
func (e *privateEngine) killShims() {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte("containerd-shim")) || !bytes.Contains(line, []byte(e.dir+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// serve runs a server on the engine.
func (e *privateEngine) serve(t *testing.T, extra string) *edge.Server {
	t.Helper()
	s := prepare(t, extra)
	s.Engine = e.host()
	require.NoError(t, s.Start(t.Context()))
	return s
}

func run(t *testing.T, in io.Reader, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
}
