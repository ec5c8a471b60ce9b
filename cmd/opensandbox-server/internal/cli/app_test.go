package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/opensandbox-edge/edge/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an App with everything around it observed.
type world struct {
	app         *App
	out, errOut bytes.Buffer
	env         map[string]string
	ran         []Start
	runError    error
	caddyArgs   []string
}

func newWorld(t *testing.T) *world {
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	t.Cleanup(func() { _ = closed.Close() })
	w := &world{env: map[string]string{}}
	w.app = &App{
		Stdin: closed, Stdout: &w.out, Stderr: &w.errOut,
		Lookup: func(name string) (string, bool) { v, ok := w.env[name]; return v, ok },
		Setenv: func(name, value string) error { w.env[name] = value; return nil },
		Run: func(_ context.Context, start Start) error {
			w.ran = append(w.ran, start)
			return w.runError
		},
		Caddy:   func(args []string) int { w.caddyArgs = args; return 7 },
		Version: func() string { return "opensandbox-server v0" },
	}
	return w
}

func (w *world) run(args ...string) int { return w.app.Execute(context.Background(), args) }

const goodKey = "0123456789abcdef0123456789abcdef"

func file(t *testing.T, body string) string {
	path := filepath.Join(t.TempDir(), "sandbox.toml")
	require.NoError(t, os.WriteFile(path, []byte(body), 0o600))
	return path
}

func valid(t *testing.T) string {
	return file(t, "[server]\napi_key = \""+goodKey+"\"\n[runtime]\ntype = \"docker\"\nexecd_image = \"e:1\"\n")
}

func TestDefaultCommandRunsTheServer(t *testing.T) {
	w, path := newWorld(t), valid(t)
	require.Equal(t, 0, w.run("--config", path), w.errOut.String())
	require.Len(t, w.ran, 1)
	require.Equal(t, path, w.ran[0].Loaded.Path)
	require.False(t, w.ran[0].Watch)
	require.Equal(t, path, w.env[config.EnvPath], "later reloads and children see the file")

	w = newWorld(t)
	w.env[config.EnvPath] = path
	require.Equal(t, 0, w.run("--reload"))
	require.True(t, w.ran[0].Watch)

	w = newWorld(t)
	w.env[config.EnvPath] = "/nowhere.toml"
	require.Equal(t, 0, w.run("--config="+path), "the flag wins over the variable")
}

func TestExitCodes(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	_, portInUse := net.Listen("tcp", busy.Addr().String())
	require.Error(t, portInUse)

	cases := []struct {
		name     string
		args     []string
		runError error
		code     int
		err      string
		ran      bool
	}{
		{name: "missing file", args: []string{"--config", "/nowhere/x.toml"}, code: 1, err: "Config file /nowhere/x.toml not found"},
		{name: "invalid file", args: []string{"--config", file(t, "[server]\nport = 0\n")}, code: 1, err: ":2 server.port: Input should be greater than or equal to 1"},
		{name: "not TOML", args: []string{"--config", file(t, "[server\n")}, code: 1, err: "Failed to read config file"},
		{name: "no key", args: []string{"--config", file(t, "[runtime]\ntype = \"docker\"\nexecd_image = \"e:1\"\n")}, code: 1, err: "API key startup confirmation failed: Startup blocked"},
		{name: "unknown flag", args: []string{"--colour"}, code: 2, err: "Usage:"},
		{name: "unknown command", args: []string{"serve"}, code: 2, err: "unknown command"},
		{name: "two paths", args: []string{"init-config", "a", "b"}, code: 2, err: "Usage:"},
		{name: "two paths to check", args: []string{"--check", "a", "b"}, code: 2, err: "Usage:"},
		{name: "bad choice", args: []string{"init-config", "--example", "podman"}, code: 2, err: "invalid choice"},
		{name: "flag without value", args: []string{"--config"}, code: 2, err: "Usage:"},
		{name: "port in use", args: []string{"--config", valid(t)}, runError: fmt.Errorf("listen: %w", portInUse), code: 1, err: "in use", ran: true},
		{name: "other failure", args: []string{"--config", valid(t)}, runError: errors.New("no runsc"), code: 3, err: "no runsc", ran: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.runError = c.runError
			require.Equal(t, c.code, w.run(c.args...))
			require.Contains(t, w.errOut.String(), c.err)
			require.Equal(t, c.ran, len(w.ran) == 1)
		})
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"-h", "--help"} {
		w := newWorld(t)
		require.Equal(t, 0, w.run(arg))
		require.Empty(t, w.errOut.String())
		require.Contains(t, w.out.String(), "init-config")
		require.Contains(t, w.out.String(), "--example {docker,docker-zh,k8s,k8s-zh}")
		require.Contains(t, w.out.String(), "--force")
	}
}

func TestInsecureAcknowledgement(t *testing.T) {
	w := newWorld(t)
	w.env[config.EnvInsecure] = "YES"
	require.Equal(t, 0, w.run("--config", file(t, "[runtime]\ntype = \"docker\"\nexecd_image = \"e:1\"\n")))
	require.Len(t, w.ran, 1)
	require.Contains(t, w.errOut.String(), "WARNING: API authentication is disabled")
}

func TestWarningsComeBeforeTheServer(t *testing.T) {
	body := "[server]\napi_key = \"" + goodKey + "\"\nlimit_concurency = 3\nloop = \"uvloop\"\n[runtime]\ntype = \"docker\"\nexecd_image = \"e:1\"\n"
	w := newWorld(t)
	path := file(t, body)
	require.Equal(t, 0, w.run("--config", path))
	require.Contains(t, w.errOut.String(), "WARNING: "+path+`:3 server.limit_concurency: unknown key, ignored; did you mean "limit_concurrency"?`)

	w = newWorld(t)
	require.Equal(t, 0, w.run("check-config", path))
	require.Contains(t, w.errOut.String(), "NOTICE: server.loop")

	w = newWorld(t)
	require.Equal(t, 0, w.run("--config", file(t, body+"[log]\nformat = \"json\"\n")))
	require.Contains(t, w.errOut.String(), `"level":"WARN"`)
}

func TestInitConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "sandbox.toml")

	w := newWorld(t)
	require.Equal(t, 0, w.run("init-config", path, "--example", "docker", "--generate-key"))
	require.True(t, strings.HasPrefix(w.out.String(), "Wrote example config (docker) to "+path+"\n"))
	require.True(t, strings.HasSuffix(w.out.String(), "\n\n"))
	body, err := os.ReadFile(path)
	require.NoError(t, err)

	w = newWorld(t)
	require.Equal(t, 0, w.run("--config", path), "ready to use as it is")
	key := w.ran[0].Loaded.Config.Server.Keys()[0].Key.Reveal()
	require.Contains(t, string(body), key)
	require.NotContains(t, w.out.String()+w.errOut.String(), key)

	w = newWorld(t)
	require.Equal(t, 1, w.run("init-config", path))
	require.Equal(t, "Failed to write config template: Config file already exists at "+path+". Use --force to overwrite.\n", w.out.String())

	w = newWorld(t)
	require.Equal(t, 0, w.run("init-config", path, "--force"))
	require.Equal(t, "Wrote full config skeleton to "+path+"\n\n", w.out.String())

	w = newWorld(t)
	require.Equal(t, 0, w.run("init-config", "--example=k8s-zh", filepath.Join(dir, "k.toml")))
	require.FileExists(t, filepath.Join(dir, config.BatchSandboxExample))
	require.Contains(t, w.out.String(), "Wrote BatchSandbox template to "+filepath.Join(dir, config.BatchSandboxExample)+"\n")

	w = newWorld(t)
	require.Equal(t, 0, w.run("init-config", "--example=k8s", filepath.Join(dir, "l.toml")))
	require.Contains(t, w.out.String(), "Kept the BatchSandbox template at ")

	w = newWorld(t)
	require.Equal(t, 1, w.run("init-config", filepath.Join(path, "below-a-file.toml")))
	require.Contains(t, w.out.String(), "Failed to write config template: ")
}

func TestCheckConfig(t *testing.T) {
	path := valid(t)
	for _, args := range [][]string{{"check-config", path}, {"--config", path, "check-config"}, {"check-config", "--config", path}, {"--check", "--config", path}, {"--check", path}, {path, "--check"}} {
		w := newWorld(t)
		require.Equal(t, 0, w.run(args...), w.errOut.String())
		require.Empty(t, w.ran)
		require.Contains(t, w.out.String(), `api_key = "***"`)
		require.NotContains(t, w.out.String()+w.errOut.String(), goodKey)
		require.Contains(t, w.errOut.String(), "OK, 0 warning(s)")
	}
	w := newWorld(t)
	require.Equal(t, 1, w.run("check-config", file(t, "")))
	require.Contains(t, w.errOut.String(), "runtime: Field required")
}

func TestCheckConfigSecurity(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, 1, w.run("check-config", "--security", file(t, "[runtime]\ntype = \"docker\"\nexecd_image = \"e:1\"\n")))
	require.Contains(t, w.out.String(), "ERROR server.api_key: ")
	for _, line := range strings.Split(strings.TrimSpace(w.out.String()), "\n") {
		require.Regexp(t, `^(ERROR|WARNING) \S+`, line)
	}
	w = newWorld(t)
	require.Equal(t, 0, w.run("check-config", "--security", valid(t)))
	require.Contains(t, w.out.String(), "WARNING docker.network_mode: ")
}

func TestCaddyGetsItsArgumentsUntouched(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, 7, w.run("caddy", "validate", "--config", "Caddyfile", "--adapter=caddyfile", "-h"))
	require.Equal(t, []string{"validate", "--config", "Caddyfile", "--adapter=caddyfile", "-h"}, w.caddyArgs)
	require.Empty(t, w.env, "Caddy's --config is not ours")

	for _, args := range [][]string{{"start"}, {"upgrade"}, {"add-package", "x"}, {"remove-package", "x"}, {"-q", "upgrade"}} {
		w = newWorld(t)
		require.Equal(t, 2, w.run(append([]string{"caddy"}, args...)...))
		require.Nil(t, w.caddyArgs)
		require.Contains(t, w.errOut.String(), "is not available here; ")
	}
	w = newWorld(t)
	require.Equal(t, 7, w.run("caddy", "help", "upgrade"))
}

func TestVersion(t *testing.T) {
	w := newWorld(t)
	require.Equal(t, 0, w.run("version"))
	require.Equal(t, "opensandbox-server v0\n", w.out.String())
}
