package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/stretchr/testify/require"
)

// asProgram makes the test binary behave as opensandbox-server.
const asProgram = "OPENSANDBOX_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		echoWindow = time.Minute // however long it takes a test to make an echo
		main()
		return
	}
	os.Exit(m.Run())
}

// program runs the real command line, without a terminal, in an empty home.
func program(t *testing.T, environment []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	home := t.TempDir()
	cmd.Env = append([]string{asProgram + "=1", "HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_DATA_HOME=" + home}, environment...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

func TestStartWithoutAFile(t *testing.T) {
	code, _, stderr := program(t, nil)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, ".sandbox.toml not found")
	require.Contains(t, stderr, "init-config")
	require.NotContains(t, stderr, "goroutine")
}

// The guard comes before anything is opened: no port, no store.
func TestStartWithoutAKeyOpensNothing(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := free.Addr().(*net.TCPAddr).Port
	defer free.Close() // the port is taken: a server that tried to bind it would say so
	dir := t.TempDir()
	path := filepath.Join(dir, "sandbox.toml")
	store := filepath.Join(dir, "store.db")
	body := "[server]\nhost = \"127.0.0.1\"\nport = " + strconv.Itoa(port) + "\n[runtime]\ntype = \"docker\"\nexecd_image = \"e:1\"\n[docker]\nhost = \"unix:///nowhere.sock\"\n[store]\npath = \"" + store + "\"\n"
	require.NoError(t, os.WriteFile(path, []byte(body), 0o600))

	for _, insecure := range []string{"", "yes", "true"} {
		code, _, stderr := program(t, []string{"OPENSANDBOX_INSECURE_SERVER=" + insecure}, "--config", path)
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "API key startup confirmation failed: Startup blocked")
		require.Contains(t, stderr, "OPENSANDBOX_INSECURE_SERVER")
		require.NotContains(t, stderr, "in use")
		require.NoFileExists(t, store)
	}
	code, _, stderr := program(t, []string{"OPENSANDBOX_INSECURE_SERVER=YES"}, "--config", path)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "address already in use")
}

func TestVersionNamesEverything(t *testing.T) {
	code, stdout, _ := program(t, nil, "version")
	require.Equal(t, 0, code)
	require.Regexp(t, `^opensandbox-server \S+ \(Caddy v\S+, go\S+, \w+/\w+\)\n$`, stdout)
}

func TestCaddyCommands(t *testing.T) {
	code, stdout, stderr := program(t, nil, "caddy", "list-modules")
	require.Equal(t, 0, code, stderr)
	for _, module := range []string{"http.handlers.opensandbox_auth", "http.handlers.opensandbox_lifecycle", "http.handlers.opensandbox_ingress", "http.handlers.reverse_proxy"} {
		require.Contains(t, stdout, module)
	}
	code, _, _ = program(t, nil, "caddy", "no-such-command")
	require.NotEqual(t, 0, code)
	for _, absent := range []string{"start", "upgrade", "add-package", "remove-package"} {
		code, _, stderr = program(t, nil, "caddy", absent)
		require.Equal(t, 2, code, absent)
		require.Contains(t, stderr, "error: caddy "+absent+" is not available here")
	}
}

// Every command ends in its own words, whatever is missing around it.
func TestNoCaddyCommandPanics(t *testing.T) {
	names := []string{"no-such-command"}
	for name := range caddycmd.Commands() {
		names = append(names, name)
	}
	require.Greater(t, len(names), 20)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arguments := []string{"caddy", name}
			switch name {
			case "run", "file-server", "respond": // they would serve
				arguments = append(arguments, "--no-such-flag")
			}
			_, stdout, stderr := program(t, nil, arguments...)
			require.NotContains(t, stdout+stderr, "panic")
			require.NotContains(t, stdout+stderr, "goroutine ")
		})
	}
}
