package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func launchInit(t *testing.T, argv []string, env ...string) *program {
	t.Helper()
	return launch(t, append([]string{"/opt/opensandbox/bootstrap.sh"}, argv...), env...)
}

func TestInitEntrypoints(t *testing.T) {
	script := filepath.Join(t.TempDir(), "no-shebang")
	require.NoError(t, os.WriteFile(script, []byte("echo script $1\nexit 4\n"), 0o755))
	plain := filepath.Join(t.TempDir(), "data")
	require.NoError(t, os.WriteFile(plain, nil, 0o644))
	for name, c := range map[string]struct {
		argv []string
		env  []string
		code int
		out  string
	}{
		"arguments":       {[]string{"sh", "-c", "echo got $0; exit 3", "x"}, nil, 3, "got x"},
		"success":         {[]string{"true"}, nil, 0, ""},
		"-c":              {[]string{"-c", "echo", "a", "b;", "exit", "5"}, nil, 5, "a b"},
		"BOOTSTRAP_CMD":   {[]string{"false"}, []string{"BOOTSTRAP_CMD=echo cmd; exit 6"}, 6, "cmd"},
		"BOOTSTRAP_SHELL": {[]string{"-c", "x"}, []string{"BOOTSTRAP_SHELL=/bin/echo"}, 0, "-c x"},
		"no arguments":    {nil, nil, 0, ""}, // a shell that reads the empty stdin
		"signal":          {[]string{"sh", "-c", "kill -9 $$"}, nil, 137, ""},
		"not found":       {[]string{"no-such-program"}, nil, 127, "not found"},
		"no file":         {[]string{"/no/such/program"}, nil, 127, "no such file"},
		"not executable":  {[]string{plain}, nil, 126, "permission denied"},
		"no shebang":      {[]string{script, "arg"}, nil, 4, "script arg"},
		"no shell":        {nil, []string{"PATH=/nowhere"}, 1, "no shell"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launchInit(t, c.argv, c.env...)
			require.Equal(t, c.code, p.code(), p.out)
			require.Contains(t, p.out.String(), c.out)
			require.False(t, p.up(), "the daemon ends with the entrypoint")
		})
	}
}

// TestInitOrder: when the entrypoint runs, the daemon already answers.
func TestInitOrder(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	p := launchInit(t, []string{self, dialOnce})
	require.Equal(t, 0, p.code(), p.out)
	require.Contains(t, p.out.String(), "connected")
}

func TestInitForwardsSignals(t *testing.T) {
	const catcher = `for s in TERM INT HUP QUIT USR1 USR2; do trap "echo caught $s" $s; done
		trap 'echo caught TERM; exit 9' TERM; echo ready; while :; do sleep 0.05; done`
	p := launchInit(t, []string{"sh", "-c", catcher})
	p.says("ready")
	for _, s := range []unix.Signal{unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGTERM} {
		require.NoError(t, p.cmd.Process.Signal(s))
		p.says("caught " + strings.TrimPrefix(unix.SignalName(s), "SIG"))
	}
	require.Equal(t, 9, p.code(), "TERM propagates the status, not 0")

	p = launchInit(t, []string{"sleep", "300"})
	p.awaitUp()
	require.NoError(t, p.cmd.Process.Signal(unix.SIGTERM))
	require.Equal(t, 143, p.code(), "%s", p.out)
}

// TestInitReapsAndRestarts: orphans of commands do not become zombies, and a
// daemon that is killed comes back.
func TestInitReapsAndRestarts(t *testing.T) {
	p := launchInit(t, []string{"sleep", "300"})
	p.awaitUp()
	for range 5 {
		_, body := p.request("POST", "/command", `{"command":"(sleep 0.01 &) ; (exit 3) & echo ok"}`)
		require.Contains(t, body, "ok")
	}
	require.Eventually(t, func() bool { return len(zombies(t, p.cmd.Process.Pid)) == 0 }, patience, 10*time.Millisecond)

	for range 2 {
		daemon := daemonPid(t, p)
		require.NoError(t, unix.Kill(daemon, unix.SIGKILL))
		require.Eventually(t, func() bool { return p.up() && daemonPid(t, p) != daemon }, patience, 20*time.Millisecond)
	}
	p.says("restarted")
}

// zombies are the children of pid that wait to be reaped.
func zombies(t *testing.T, pid int) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, file := range all {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(data), ") ")
		if strings.HasPrefix(after, fmt.Sprintf("Z %d ", pid)) {
			found = append(found, string(data))
		}
	}
	return found
}

// daemonPid is the parent of a command's shell.
func daemonPid(t *testing.T, p *program) int {
	t.Helper()
	_, body := p.request("POST", "/command", `{"command":"echo pid=$PPID"}`)
	_, after, ok := strings.Cut(body, "pid=")
	if !ok {
		return 0
	}
	var pid int
	_, err := fmt.Sscanf(after, "%d", &pid)
	require.NoError(t, err)
	return pid
}

func TestInitFailsWhenTheDaemonCannotListen(t *testing.T) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	// Without EXECD the daemon is this binary, which the port of another must not fool.
	p := launchInit(t, []string{"echo", "must not run"}, "EXECD=", "EXECD_PORT="+port)
	require.Equal(t, 1, p.code(), p.out)
	require.Contains(t, p.out.String(), "the sandbox cannot start")
	require.NotContains(t, p.out.String(), "must not run")

	p = launchInit(t, []string{"echo", "must not run"}, "EXECD=/no/such/execd")
	require.Equal(t, 1, p.code())
	require.Contains(t, p.out.String(), "the sandbox cannot start")

	p = launchInit(t, []string{"echo", "must not run"}, "EXECD_ACCESS_TOKEN_SHA256=nonsense")
	require.Equal(t, 1, p.code())
	require.Contains(t, p.out.String(), "ended with status 1 before it listened")
}

func TestInitEnvironment(t *testing.T) {
	dir := t.TempDir()
	pre := filepath.Join(dir, "pre.sh")
	require.NoError(t, os.WriteFile(pre, []byte("export FROM_PRE=yes\ncd "+dir+"\necho LATER=pre >> \"$EXECD_ENVS\"\n"), 0o644))
	p := launchInit(t, []string{"sh", "-c", "echo user FROM_PRE=$FROM_PRE in $PWD; env | grep -c ACCESS_TOKEN; sleep 300", "with 'odd' \"args\""},
		"EXECD_BOOTSTRAP_PRE_SCRIPT="+pre, "EXECD_ACCESS_TOKEN=tok-in-clear", "OPENSANDBOX_ID=42")
	p.says("user FROM_PRE=yes in " + dir)
	p.says("\n0\n")
	_, body := p.request("POST", "/command", `{"command":"echo $FROM_PRE-$LATER-$OPENSANDBOX_ID; env; tr '\\0' '\\n' </proc/$PPID/environ"}`,
		"X-EXECD-ACCESS-TOKEN", "tok-in-clear")
	require.Contains(t, body, "yes-pre-42")
	if os.Geteuid() != 0 { // root has the capability to read it all the same here; in a container it has not
		require.NotContains(t, body, "tok-in-clear")
	}

	p = launchInit(t, []string{"echo", "still runs"}, "EXECD_BOOTSTRAP_PRE_SCRIPT=/no/such/script", "EXECD_ENVS=/proc/no/.env")
	require.Equal(t, 0, p.code())
	require.Contains(t, p.out.String(), "pre-script")
	require.Contains(t, p.out.String(), "env file")
	require.Contains(t, p.out.String(), "still runs")

	p = launchInit(t, nil, "BOOTSTRAP_CMD=echo never", "EXECD_BOOTSTRAP_PRE_SCRIPT="+writeScript(t, "exit 21"))
	require.Equal(t, 21, p.code(), "a pre-script that exits ends the sandbox, as sourcing does")
}

func writeScript(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script.sh")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func TestInitSurvivesInterruptWhileWaiting(t *testing.T) {
	// The daemon never listens: a signal must end the wait at once.
	slow := filepath.Join(t.TempDir(), "slow")
	require.NoError(t, os.WriteFile(slow, []byte("#!/bin/sh\necho slow; exec sleep 300\n"), 0o755))
	p := launchInit(t, []string{"echo", "must not run"}, "EXECD="+slow)
	p.says("slow")
	require.NoError(t, p.cmd.Process.Signal(unix.SIGTERM))
	require.Equal(t, 143, p.code())
	require.NotContains(t, p.out.String(), "must not run")
}
