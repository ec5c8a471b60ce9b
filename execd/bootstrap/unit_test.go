package bootstrap

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/internal/wire"
)

func config(t *testing.T, vars environ.Vars, args ...string) Config {
	t.Helper()
	c := FromEnvironment(args, vars.List(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	c.CAFile, c.CABundle = filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "bundle.pem")
	return c
}

func TestUserArgv(t *testing.T) {
	bin := t.TempDir()
	sh := filepath.Join(bin, "sh")
	require.NoError(t, os.WriteFile(sh, nil, 0o755))
	for name, c := range map[string]struct {
		vars environ.Vars
		args []string
		want []string
	}{
		"arguments":          {nil, []string{"python", "-c", "x"}, []string{"python", "-c", "x"}},
		"-c joins":           {nil, []string{"-c", "a", "b  c"}, []string{sh, "-c", "a b  c"}},
		"-c alone":           {nil, []string{"-c"}, []string{sh, "-c", ""}},
		"variable wins":      {environ.Vars{commandVar: "cmd"}, []string{"-c", "x"}, []string{sh, "-c", "cmd"}},
		"nothing":            {nil, nil, []string{sh}},
		"another shell":      {environ.Vars{shellVar: "/bin/zsh"}, nil, []string{"/bin/zsh"}},
		"another shell, -c":  {environ.Vars{shellVar: "zsh"}, []string{"-c", "x"}, []string{"zsh", "-c", "x"}},
		"empty variable":     {environ.Vars{commandVar: ""}, []string{"x"}, []string{"x"}},
		"shell not involved": {environ.Vars{shellVar: "zsh"}, []string{"x"}, []string{"x"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := config(t, environ.Vars{"PATH": bin}.With(c.vars), c.args...).userArgv()
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	_, err := config(t, environ.Vars{"PATH": t.TempDir()}, "-c", "x").userArgv()
	require.ErrorContains(t, err, shellVar)
}

func TestPort(t *testing.T) {
	for name, c := range map[string]struct {
		vars environ.Vars
		want int
	}{
		"default":    {nil, 44772},
		"variable":   {environ.Vars{portVar: "1000"}, 1000},
		"flag":       {environ.Vars{execdVar: "/x --port 2000", portVar: "1000"}, 2000},
		"flag joint": {environ.Vars{execdVar: "/x -port=3000 --y"}, 3000},
		"flag last":  {environ.Vars{execdVar: "/x --port"}, 44772},
		"no flag":    {environ.Vars{execdVar: "/x port 9"}, 44772},
	} {
		require.Equal(t, c.want, config(t, c.vars).port(), name)
	}
}

func TestSecretsGoToTheDaemonAlone(t *testing.T) {
	c := FromEnvironment(nil, []string{"A=1", wire.EnvExecdToken + "=t", wire.EnvExecdTokenSum + "=h"}, slog.Default())
	require.Equal(t, environ.Vars{"A": "1"}, c.Vars)
	require.Equal(t, []string{wire.EnvExecdToken + "=t", wire.EnvExecdTokenSum + "=h"}, c.Secrets)
}

func TestEnvFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run/.env")
	c := config(t, environ.Vars{envsVar: path})
	require.NoError(t, c.prepareEnvFile())
	require.NoError(t, os.WriteFile(path, []byte("A=image"), 0o644))
	require.NoError(t, c.prepareEnvFile(), "what the image wrote stays")
	require.NoError(t, c.appendEnvFile(environ.Vars{"A": "ours", "B": "ours"}))
	require.NoError(t, c.appendEnvFile(environ.Vars{"A": "ours", "B": "ours"}))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "A=image\nB=ours\n", string(data))

	c = config(t, nil)
	_ = c.prepareEnvFile()
	require.Equal(t, "/opt/opensandbox/.env", c.Vars[envsVar], "exported even when it cannot be written")
}

func TestAwaitCertificate(t *testing.T) {
	c := config(t, environ.Vars{proxyVar: "YES"})
	require.True(t, c.proxied())
	require.False(t, config(t, environ.Vars{proxyVar: "0"}).proxied())

	require.NoError(t, os.WriteFile(c.CAFile, []byte("\n"), 0o644))
	c.CATimeout = 300 * time.Millisecond
	_, err := c.awaitCertificate(context.Background())
	require.ErrorIs(t, err, context.DeadlineExceeded, "an empty file is none")
	require.Nil(t, c.trust(context.Background(), newReaper()), "and the sandbox starts without")

	require.NoError(t, os.WriteFile(c.CAFile, []byte("CA\n"), 0o644))
	pem, err := c.awaitCertificate(context.Background())
	require.NoError(t, err)
	require.Equal(t, "CA\n", string(pem))
}

func TestMergeRoots(t *testing.T) {
	roots := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(roots, []byte("ROOTS"), 0o644))
	before := rootBundles
	t.Cleanup(func() { rootBundles = before })
	rootBundles = []string{"/absent/*.pem", roots}

	c := config(t, environ.Vars{"TMPDIR": t.TempDir()})
	path, err := c.mergeRoots([]byte("CA\n"))
	require.NoError(t, err)
	require.Equal(t, c.CABundle, path)
	data, _ := os.ReadFile(path)
	require.Equal(t, "ROOTS\nCA\n", string(data))

	c.CABundle = "/proc/bundle.pem" // as on a read-only root
	path, err = c.mergeRoots([]byte("CA\n"))
	require.NoError(t, err)
	defer os.RemoveAll(filepath.Dir(path))
	require.NotEqual(t, c.CABundle, path)
	data, _ = os.ReadFile(path)
	require.Equal(t, "ROOTS\nCA\n", string(data))
	info, err := os.Stat(filepath.Dir(path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode().Perm(), "other users read it too")

	rootBundles = nil
	_, err = c.mergeRoots([]byte("CA\n"))
	require.Error(t, err)
}
