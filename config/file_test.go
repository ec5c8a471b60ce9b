package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, name, body string, mode os.FileMode) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(body), mode))
	require.NoError(t, os.Chmod(path, mode)) // whatever the umask is
	return path
}

func load(path string, pairs ...string) (*Loaded, error) {
	return Load(Options{Path: path, Lookup: env(pairs...), Home: "/home/u"})
}

func TestFilesThatCannotBeRead(t *testing.T) {
	_, err := load("/nowhere/sandbox.toml")
	var missing *Missing
	require.ErrorAs(t, err, &missing)
	for _, hint := range []string{"Config file /nowhere/sandbox.toml not found", "init-config", "--config", EnvPath, DefaultPath} {
		require.ErrorContains(t, err, hint)
	}
	_, err = load(t.TempDir())
	require.ErrorContains(t, err, "it is a directory")
	_, err = load(write(t, "big.toml", strings.Repeat("#", maxFileBytes+1), 0o600))
	require.ErrorContains(t, err, "larger than")

	_, err = load(write(t, "empty.toml", "", 0o600))
	require.ErrorContains(t, err, "runtime: Field required")
}

func TestPermissions(t *testing.T) {
	withKey := minimal + "[server]\napi_key = \"0123456789abcdef\"\n"
	for _, c := range []struct {
		body  string
		mode  os.FileMode
		warns bool
	}{
		{withKey, 0o600, false},
		{withKey, 0o640, false},
		{withKey, 0o644, true},
		{withKey, 0o660, true},
		{minimal, 0o644, false},
		{minimal + "[server]\napi_key = \"${K}\"\n", 0o644, false},
		{minimal + "[server]\napi_keys = [\"${K}\", \"0123456789abcdef\"]\n", 0o644, true},
	} {
		path := write(t, "s.toml", c.body, c.mode)
		l, err := load(path, "K", "0123456789abcdef")
		require.NoError(t, err)
		require.Equal(t, c.warns, len(l.Report.Warnings) == 1, "%o %s", c.mode, c.body)
		if c.warns {
			require.Contains(t, l.Report.Warnings[0].String(), "chmod 600 "+path)
		}
	}
	// A key in the environment does not make the one in the file harmless.
	l, err := load(write(t, "s.toml", withKey, 0o644), EnvAPIKey, "another-key-0123456789")
	require.NoError(t, err)
	require.Len(t, l.Report.Warnings, 1)

	_, err = load(write(t, "s.toml", withKey+"strict_permissions = true\n", 0o644))
	require.ErrorContains(t, err, "other users can read or change it")

	key := write(t, "key", "0123456789abcdef\n", 0o644)
	l, err = load(write(t, "s.toml", minimal+"[server]\napi_key_file = \""+key+"\"\n", 0o644))
	require.NoError(t, err)
	require.Len(t, l.Report.Warnings, 1)
	require.Equal(t, "server.api_key_file", l.Report.Warnings[0].Key)
}

func TestKeyFiles(t *testing.T) {
	for body, message := range map[string]string{
		"":                         "should hold one line",
		"a\nb\n":                   "should hold one line",
		strings.Repeat("k", 5000):  "larger than 4096 bytes",
		" 0123456789abcdef \r\n\n": "",
	} {
		l, err := parse(minimal + "[server]\napi_key_file = \"" + write(t, "key", body, 0o600) + "\"\n")
		if message != "" {
			require.ErrorContains(t, err, message)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "0123456789abcdef", l.Config.Server.Keys()[0].Key.Reveal())
	}
	_, err := parse(minimal + "[server]\napi_key_file = \"/nowhere\"\n")
	require.ErrorContains(t, err, "server.api_key_file: cannot be read: no such file or directory")
}

func TestReloadReadsTheSameFileAgain(t *testing.T) {
	path := write(t, "s.toml", minimal, 0o600)
	first, err := load(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(minimal+"[log]\nlevel = \"DEBUG\"\n[docker]\nnetwork_mode = \"bridge\"\n"), 0o600))
	second, err := first.Reload()
	require.NoError(t, err)
	require.Equal(t, "DEBUG", second.Config.Log.Level)
	require.Equal(t, []string{"docker.network_mode"}, Restart(first.Config, second.Config), "the log level is live")
	require.Empty(t, Restart(first.Config, first.Config))

	require.NoError(t, os.Remove(path))
	_, err = second.Reload()
	require.Error(t, err)
}
