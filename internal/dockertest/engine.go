package dockertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience bounds the start, the end and each command of an engine.
const patience = time.Minute

// Runtime is an OCI runtime that an engine offers beside runc.
type Runtime struct {
	Path string   `json:"path"`
	Args []string `json:"runtimeArgs"`
}

// Engine is a dockerd that ends with its test. It filters no packets: containers and
// this machine reach each other over its bridge, and nothing else does.
type Engine struct {
	t      testing.TB
	dir    string
	bridge string
	cmd    *exec.Cmd
	ended  chan struct{}
}

// Start runs an engine with these additional runtimes, by name. The test is skipped where
// no engine can be started.
func Start(t testing.TB, runtimes map[string]Runtime) *Engine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: an engine of a test's own can only be started by root")
	}
	for _, program := range []string{"dockerd", "docker", "ip"} {
		if _, err := find(program); err != nil {
			t.Skipf("SKIPPED: %s is not installed", program)
		}
	}
	dir, err := os.MkdirTemp("", "dockerd") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{t: t, dir: dir}
	t.Cleanup(e.remove)
	e.addBridge()
	settings, err := json.Marshal(map[string]any{
		"data-root": filepath.Join(dir, "data"), "exec-root": filepath.Join(dir, "exec"), "pidfile": filepath.Join(dir, "pid"),
		"hosts": []string{e.Host()}, "bridge": e.bridge, "iptables": false, "ip6tables": false, "ip-masq": false,
		"runtimes": runtimes,
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "daemon.json"), settings, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	e.Start()
	return e
}

// Host is the engine's address for DOCKER_HOST.
func (e *Engine) Host() string { return "unix://" + filepath.Join(e.dir, "s") }

// Start runs the engine again after Stop.
func (e *Engine) Start() {
	e.t.Helper()
	program, err := find("dockerd")
	if err != nil {
		e.t.Fatal(err)
	}
	output, err := os.OpenFile(e.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer output.Close()
	e.cmd = exec.Command(program, "--config-file", filepath.Join(e.dir, "daemon.json"))
	e.cmd.Stdout, e.cmd.Stderr = output, output
	e.cmd.Env = append(os.Environ(), "DOCKER_HOST=", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { defer close(ended); _ = cmd.Wait() }(e.cmd, e.ended)
	deadline := time.Now().Add(patience)
	for e.command("version").Run() != nil {
		select {
		case <-e.ended:
			e.t.Fatalf("dockerd ended at once: %s", e.logged())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			e.t.Fatalf("dockerd does not answer: %s", e.logged())
		}
	}
}

// Stop ends the engine as an operator would, if it runs. Its containers end with it.
func (e *Engine) Stop() {
	if e.cmd == nil || e.cmd.Process == nil {
		return
	}
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.ended:
	case <-time.After(patience):
		e.t.Errorf("dockerd did not stop: %s", e.logged())
		_ = e.cmd.Process.Kill()
		<-e.ended
	}
	e.cmd = nil
}

// Load copies images from the engine that the machine has.
func (e *Engine) Load(images ...string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	save := exec.CommandContext(ctx, "docker", append([]string{"save"}, images...)...)
	load := e.command("load")
	stream, err := save.StdoutPipe()
	if err != nil {
		e.t.Fatal(err)
	}
	var complaints [2]bytes.Buffer
	load.Stdin, save.Stderr, load.Stderr = stream, &complaints[0], &complaints[1]
	if err := save.Start(); err != nil {
		e.t.Fatal(err)
	}
	loaded, saved := load.Run(), save.Wait()
	if loaded != nil || saved != nil {
		e.t.Fatalf("copying %v: %v, %s; %v, %s", images, saved, &complaints[0], loaded, &complaints[1])
	}
}

// Docker runs the command line client against this engine and returns what it writes.
func (e *Engine) Docker(args ...string) (string, error) {
	out, err := e.command(args...).CombinedOutput()
	return string(out), err
}

func (e *Engine) command(args ...string) *exec.Cmd {
	// A runtime that hangs makes the client ignore SIGTERM.
	return exec.Command("timeout", append([]string{"-k", "1", "60", "docker", "-H", e.Host()}, args...)...)
}

// remove leaves nothing of the engine on the machine.
func (e *Engine) remove() {
	if e.cmd != nil {
		if ids, err := e.Docker("ps", "-aq"); err == nil && strings.TrimSpace(ids) != "" {
			_, _ = e.Docker(append([]string{"rm", "-f", "-v"}, strings.Fields(ids)...)...)
		}
		e.Stop()
	}
	if e.bridge != "" {
		_ = e.ip("link", "del", e.bridge)
	}
	for _, mount := range e.mounts() {
		_ = syscall.Unmount(mount, syscall.MNT_DETACH)
	}
	if err := os.RemoveAll(e.dir); err != nil {
		e.t.Errorf("removing the engine's folder: %v", err)
	}
}

// mounts are what the engine left mounted below its folder, the deepest first.
func (e *Engine) mounts() []string {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		e.t.Error(err)
	}
	var found []string
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], e.dir+"/") {
			found = append(found, fields[1])
		}
	}
	slices.Sort(found)
	slices.Reverse(found)
	return found
}

func (e *Engine) log() string { return filepath.Join(e.dir, "log") }

// logged is the end of the engine's log.
func (e *Engine) logged() string {
	text, err := os.ReadFile(e.log())
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text[max(0, len(text)-4000):])
}

// find looks where Debian keeps an administrator's programs, too.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath(filepath.Join("/usr/sbin", program))
	}
	return path, err
}
