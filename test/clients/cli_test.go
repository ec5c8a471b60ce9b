//go:build clients

package clients

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/test/edge"
)

// cli is the published command line, bound to one server.
type cli struct {
	t       *testing.T
	program string
	options []string
	env     []string
}

var errRunning = errors.New("the command still runs")

func newCLI(t *testing.T, s *edge.Server, mode string) *cli {
	t.Helper()
	c := &cli{t: t, program: tool(t, "EDGE_OSB")}
	c.options = []string{"--domain", s.Addr, "--protocol", "http", "--api-key", s.Key, "--no-color", "--no-use-server-proxy"}
	if mode == "proxy" {
		c.options[len(c.options)-1] = "--use-server-proxy"
	}
	// Nothing of the machine's own configuration, and no line that is broken for a terminal.
	c.env = append(os.Environ(), "HOME="+t.TempDir(), "COLUMNS=500", "OPENSANDBOX_DISABLE_METRICS=1")
	return c
}

func (c *cli) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, append(append([]string{}, c.options...), args...)...)
	cmd.Env = c.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// text runs a command that has to succeed and returns what it printed.
func (c *cli) text(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	require.NoError(c.t, err, "osb %v\n%s", args, out)
	return out
}

// read runs a command that prints JSON.
func (c *cli) read(into any, args ...string) {
	c.t.Helper()
	out := c.text(slices.Insert(args, 2, "-o", "json")...) // before a "--"
	require.NoError(c.t, json.Unmarshal([]byte(out), into), "osb %v\n%s", args, out)
}

// fails runs a command that has to fail, and returns what it said.
func (c *cli) fails(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	require.Error(c.t, err, "osb %v\n%s", args, out)
	return out
}

func TestPublishedCommandLine(t *testing.T) {
	for _, mode := range []string{"direct", "proxy"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := start(t, ingress["header"], "")
			c := newCLI(t, s, mode)
			var made struct{ ID string }
			c.read(&made, "sandbox", "create", "--image", s.DemoImage, "--timeout", "5m", "-e", "GREETING=hello", "-m", "client=osb",
				"--resource", "cpu=500m", "--resource", "memory=128Mi",
				"--entrypoint", "sh", "--entrypoint", "-c", "--entrypoint", "echo hello from the entrypoint; exec sleep 600")
			require.NotEmpty(t, made.ID)
			t.Run("commands", func(t *testing.T) { c.of(t).commands(made.ID) })
			if mode == "direct" { // the rest asks the same API of the same server
				t.Run("files", func(t *testing.T) { c.of(t).files(made.ID) })
				t.Run("lifecycle", func(t *testing.T) { c.of(t).lifecycle(made.ID) })
				t.Run("diagnostics", func(t *testing.T) { c.of(t).diagnostics(made.ID) })
			}
			c.text("sandbox", "kill", made.ID)
			require.Contains(t, c.fails("sandbox", "get", made.ID), "There is no sandbox")
			noSandboxLeft(t, s)
		})
	}
}

func (c *cli) of(t *testing.T) *cli {
	bound := *c
	bound.t = t
	return &bound
}

func (c *cli) commands(id string) {
	require.Equal(c.t, "hello\n", c.text("command", "run", id, "-o", "raw", "--", "sh", "-c", "echo $GREETING"))
	require.Contains(c.t, c.text("command", "run", id, "-w", "/tmp", "-o", "raw", "--", "pwd"), "/tmp")
	c.fails("command", "run", id, "-o", "raw", "--", "sh", "-c", "exit 3")

	var begun struct {
		ID string `json:"execution_id"`
	}
	c.read(&begun, "command", "run", id, "--background", "--", "echo", "in the background")
	require.NotEmpty(c.t, begun.ID)
	require.NoError(c.t, edge.Until(c.t.Context(), func() error {
		var status struct {
			Running  *bool
			ExitCode *int `json:"exit_code"`
		}
		c.read(&status, "command", "status", id, begun.ID)
		if status.Running == nil || *status.Running || status.ExitCode == nil {
			return errRunning
		}
		require.Zero(c.t, *status.ExitCode)
		return nil
	}))
	require.Contains(c.t, c.text("command", "logs", id, begun.ID, "-o", "raw"), "in the background")
}

func (c *cli) files(id string) {
	dir := c.t.TempDir()
	up, down := filepath.Join(dir, "up"), filepath.Join(dir, "down")
	require.NoError(c.t, os.WriteFile(up, []byte(strings.Repeat("payload\x00\xff", 1000)), 0o600))

	c.text("file", "mkdir", id, "/tmp/d")
	c.text("file", "write", id, "/tmp/d/a.txt", "-c", "first second", "--mode", "0640")
	require.Equal(c.t, "first second", strings.TrimSpace(c.text("file", "cat", id, "/tmp/d/a.txt")))
	c.text("file", "upload", id, up, "/tmp/d/up.bin")
	c.text("file", "download", id, "/tmp/d/up.bin", down)
	sent, err := os.ReadFile(up)
	require.NoError(c.t, err)
	got, err := os.ReadFile(down)
	require.NoError(c.t, err)
	require.Equal(c.t, sent, got)

	require.Contains(c.t, c.text("file", "search", id, "/tmp/d", "-p", "*.bin", "-o", "json"), "/tmp/d/up.bin")
	c.text("file", "chmod", id, "/tmp/d/a.txt", "--mode", "0604")
	require.Contains(c.t, c.text("file", "info", id, "/tmp/d/a.txt", "-o", "json"), "604")
	c.text("file", "replace", id, "/tmp/d/a.txt", "--old", "second", "--new", "2nd")
	c.text("file", "mv", id, "/tmp/d/a.txt", "/tmp/d/b.txt")
	require.Equal(c.t, "first 2nd", strings.TrimSpace(c.text("file", "cat", id, "/tmp/d/b.txt")))
	c.text("file", "rm", id, "/tmp/d/b.txt")
	c.text("file", "rmdir", id, "/tmp/d")
	c.fails("file", "cat", id, "/tmp/d/b.txt")
}

func (c *cli) lifecycle(id string) {
	require.Contains(c.t, c.text("sandbox", "get", id, "-o", "json"), "Running")
	require.Contains(c.t, c.text("sandbox", "list", "-s", "running", "-m", "client=osb", "-o", "json"), id)
	require.NotContains(c.t, c.text("sandbox", "list", "-m", "client=other", "-o", "json"), id)
	require.NotContains(c.t, c.text("sandbox", "list", "--page", "2", "--page-size", "1", "-o", "json"), id)
	require.Contains(c.t, c.text("sandbox", "health", id), "ealthy")
	require.Contains(c.t, c.text("sandbox", "metrics", id, "-o", "json"), "cpu")
	require.Contains(c.t, c.text("sandbox", "endpoint", id, "-p", "8080", "-o", "json"), "127.0.0.1:")
	c.text("sandbox", "renew", id, "-t", "30m")
	c.text("sandbox", "pause", id)
	require.Contains(c.t, c.text("sandbox", "list", "-s", "Paused", "-o", "json"), id)
	c.text("sandbox", "resume", id)
	require.Equal(c.t, "back\n", c.text("command", "run", id, "-o", "raw", "--", "echo", "back"))
}

func (c *cli) diagnostics(id string) {
	const said = "hello from the entrypoint"
	for _, scope := range []string{"container", "all"} {
		require.Contains(c.t, c.text("diagnostics", "logs", id, "-s", scope, "-o", "raw"), said)
	}
	require.Contains(c.t, c.text("diagnostics", "events", id, "-s", "lifecycle", "-o", "raw"), "Paused")
	require.Contains(c.t, c.text("diagnostics", "events", id, "-s", "runtime", "-o", "raw"), "Container:")
	require.Contains(c.t, c.text("diagnostics", "events", id, "-s", "all", "-o", "json"), `"inline"`)
	require.Contains(c.t, c.fails("diagnostics", "logs", id, "-s", "network"), "container, all")

	require.Contains(c.t, c.text("devops", "logs", id, "-n", "10", "-s", "1h"), said)
	require.Contains(c.t, c.text("devops", "events", id), "Status:")
	require.Contains(c.t, c.text("devops", "inspect", id), "GREETING")
	summary := c.text("devops", "summary", id, "-n", "9", "--event-limit", "3")
	for _, part := range []string{"SANDBOX DIAGNOSTICS SUMMARY", "INSPECT", "EVENTS", "LOGS (last 9 lines)", said} {
		require.Contains(c.t, summary, part)
	}
	c.fails("devops", "logs", "160808dc-2c0c-48c3-875a-06ab3e948cdb")
}
