package command

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/internal/wire"
)

func TestEnvironmentOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(file, []byte("B=file\nC=file\nD=${A}!\n"), 0o600))
	r := newRegistry(t, func(o *Options) {
		o.EnvFile = file
		o.Process = environ.FromList([]string{"PATH=" + os.Getenv("PATH"), "A=proc", "B=proc", "C=proc", wire.EnvExecdToken + "=t"})
	})
	_, l := run(t, r, Spec{Command: "echo $A $B $C $D; env | grep -c EXECD_", Env: map[string]string{"C": "request"}})
	require.Equal(t, []string{"proc file request proc!", "0"}, l.out)

	// The file is read anew for each command, and its loss is no failure.
	require.NoError(t, os.Remove(file))
	_, l = run(t, r, Spec{Command: "echo $B"})
	require.Equal(t, []string{"proc"}, l.out)
}

func TestCwd(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	r := newRegistry(t, nil)
	_, l := run(t, r, Spec{Command: "pwd", Cwd: "$WHERE", Env: map[string]string{"WHERE": dir}})
	require.Equal(t, []string{dir}, l.out, "expanded with the environment of the command")

	for cwd, want := range map[string]string{
		filepath.Join(dir, "no"): "working directory does not exist: ",
		file:                     "is not a directory: ",
		file + "/x":              "cannot access",
		"$UNDEFINED_HERE":        "cannot resolve",
	} {
		_, err := r.Prepare(Spec{Command: "pwd", Cwd: cwd})
		require.Equal(t, 400, apierror.From(err).Status, cwd)
		require.Contains(t, err.Error(), want)
	}
}

func TestBadSpecs(t *testing.T) {
	r := newRegistry(t, nil)
	id := uint32(0)
	for name, spec := range map[string]Spec{
		"empty":            {},
		"NUL":              {Command: "a\x00b"},
		"negative timeout": {Command: "true", TimeoutMS: -1},
		"gid without uid":  {Command: "true", GID: &id},
		"env name":         {Command: "true", Env: map[string]string{"a=b": ""}},
		"env value":        {Command: "true", Env: map[string]string{"a": "\x00"}},
	} {
		_, err := r.Prepare(spec)
		require.Equal(t, 400, apierror.From(err).Status, name)
		require.Equal(t, "INVALID_REQUEST_BODY", apierror.From(err).Code, name)
	}
}

func TestNoShell(t *testing.T) {
	r := newRegistry(t, func(o *Options) { o.Process = environ.Vars{"PATH": t.TempDir()} })
	c, err := r.Prepare(Spec{Command: "true"})
	require.NoError(t, err)
	require.ErrorContains(t, c.Start(nil), "no shell")
	res := await(t, c)
	require.True(t, res.NotStarted)
	require.Equal(t, 255, res.ExitCode)
	require.False(t, c.Running())
}

func TestAccounts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: not root: changing uid is not tested in this run")
	}
	r := newRegistry(t, func(o *Options) { o.TempDir = "/tmp" })
	uid, unknown, gid := uint32(65534), uint32(54321), uint32(7)
	_, l := run(t, r, Spec{Command: "id -u; id -g; echo $USER", UID: &uid})
	require.Equal(t, []string{"65534", "65534", "nobody"}, l.out)
	_, l = run(t, r, Spec{Command: "id -u; id -g; id -G; echo $HOME", UID: &unknown})
	require.Equal(t, []string{"54321", "54321", "54321", "/"}, l.out, "an unknown uid does not get root's group")
	_, l = run(t, r, Spec{Command: "id -g", UID: &unknown, GID: &gid})
	require.Equal(t, []string{"7"}, l.out)
}
