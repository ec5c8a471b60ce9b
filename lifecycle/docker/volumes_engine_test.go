//go:build docker

package docker

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/filters"
	dockervolume "github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/internal/dockertest"
	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

// shelf is a runtime with a folder that sandboxes may mount, and a client of the engine.
type shelf struct {
	*Runtime
	t       *testing.T
	cli     *client.Client
	allowed string
}

func newShelf(t *testing.T, change func(*Options)) *shelf {
	t.Helper()
	s := &shelf{t: t, cli: engineClient(t), allowed: t.TempDir()}
	require.NoError(t, os.Chmod(s.allowed, 0o777))
	s.Runtime = open(t, func(o *Options) {
		o.Volumes.Policy.HostPaths = []string{s.allowed}
		if change != nil {
			change(o)
		}
	})
	instance := s.opts.Instance
	t.Cleanup(func() {
		removeAll(t, s.cli, LabelInstance+"="+instance)
		for _, name := range s.volumes(t) {
			require.NoError(t, s.cli.VolumeRemove(context.Background(), name, true))
		}
	})
	return s
}

// volumes are the named volumes that this instance made.
func (s *shelf) volumes(t *testing.T) []string {
	list, err := s.cli.VolumeList(context.Background(), dockervolume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", LabelInstance+"="+s.opts.Instance))})
	require.NoError(t, err)
	var names []string
	for _, v := range list.Volumes {
		names = append(names, v.Name)
	}
	return names
}

// sandbox makes one with volumes and returns its id.
func (s *shelf) sandbox(volumes ...volume.Volume) string {
	s.t.Helper()
	id, err := s.try(volumes...)
	require.NoError(s.t, err)
	return id
}

// try does what the service does: a failure is followed by a delete.
func (s *shelf) try(volumes ...volume.Volume) (string, error) {
	wanted := spec(uuid.NewString())
	wanted.Volumes = volumes
	if err := s.CheckVolumes(volumes); err != nil {
		return wanted.ID, err
	}
	_, err := s.Create(s.t.Context(), wanted)
	if err != nil {
		assert.NoError(s.t, s.Delete(context.Background(), wanted.ID))
	}
	return wanted.ID, err
}

func (s *shelf) sh(id, script string) (string, int) {
	s.t.Helper()
	out, code := run(s.t, s.cli, id, "sh", "-c", script)
	return strings.TrimSpace(out), code
}

// must runs a script that has to succeed.
func (s *shelf) must(id, script string) string {
	s.t.Helper()
	out, code := s.sh(id, script)
	require.Zero(s.t, code, "%s: %s", script, out)
	return out
}

func (s *shelf) delete(id string) {
	s.t.Helper()
	require.NoError(s.t, s.Delete(s.t.Context(), id))
}

func onHost(p, sub string, readOnly bool) volume.Volume {
	return volume.Volume{Name: "h", MountPath: "/mnt/h", SubPath: sub, ReadOnly: readOnly, Host: &volume.Host{Path: p}}
}

func claimed(name, sub string, deleted bool) volume.Volume {
	return volume.Volume{Name: "c", MountPath: "/mnt/c", SubPath: sub, Claim: &volume.Claim{Name: name, Create: true, DeleteWithSandbox: deleted}}
}

func TestHostPathsAreMounted(t *testing.T) {
	s := newShelf(t, nil)
	file := filepath.Join(s.allowed, "disk:1.iso")
	require.NoError(t, os.WriteFile(file, []byte("image"), 0o644))
	iso := onHost(file, "", true)
	iso.Name, iso.MountPath = "iso", "/boot.iso"
	id := s.sandbox(onHost(s.allowed, "made/here", false), iso)
	s.must(id, "echo hello > /mnt/h/note")
	text, err := os.ReadFile(filepath.Join(s.allowed, "made/here/note"))
	require.NoError(t, err)
	require.Equal(t, "hello\n", string(text))
	require.Equal(t, "image", s.must(id, "cat /boot.iso"))
	out, code := s.sh(id, "echo x > /boot.iso")
	require.NotZero(t, code, out)

	reader := s.sandbox(onHost(s.allowed+"/made/here", "", true))
	require.Equal(t, "hello", s.must(reader, "cat /mnt/h/note"))
	out, code = s.sh(reader, "echo x > /mnt/h/note")
	require.NotZero(t, code, out)

	// Nothing of a create stays mounted on the host, and a pause changes nothing.
	require.NoDirExists(t, "/run/opensandbox-mounts."+s.opts.Instance)
	require.NoError(t, s.Pause(t.Context(), id))
	require.NoError(t, s.Resume(t.Context(), id))
	require.Equal(t, "hello", s.must(id, "cat /mnt/h/note"))
	s.delete(id)
	require.FileExists(t, filepath.Join(s.allowed, "made/here/note"))
}

func TestHostPathsThatAreRefused(t *testing.T) {
	outside := t.TempDir()
	s := newShelf(t, func(o *Options) {
		o.Volumes.Protected = []string{filepath.Join(o.Volumes.Policy.HostPaths[0], "store", "db")}
	})
	require.NoError(t, os.Symlink(outside, s.allowed+"/link"))
	require.NoError(t, os.MkdirAll(s.allowed+"/store/db", 0o755))
	require.NoError(t, os.WriteFile(s.allowed+"/file", nil, 0o600))
	for _, c := range []struct {
		v      volume.Volume
		status int
		code   string
	}{
		{onHost(outside, "", false), 400, "VOLUME::HOST_PATH_NOT_ALLOWED"},
		{onHost(s.allowed+"/link", "", false), 400, "VOLUME::HOST_PATH_NOT_ALLOWED"},
		{onHost(s.allowed, "link/x", false), 400, "VOLUME::HOST_PATH_NOT_ALLOWED"},
		{onHost(s.allowed, "store", false), 400, "VOLUME::HOST_PATH_NOT_ALLOWED"},
		{onHost(s.allowed, "store/db", true), 400, "VOLUME::HOST_PATH_NOT_ALLOWED"},
		{onHost(s.allowed, "../x", false), 400, "VOLUME::INVALID_SUB_PATH"},
		{onHost(s.allowed, "/x", false), 400, "VOLUME::INVALID_SUB_PATH"},
		{onHost(s.allowed+"/../x", "", false), 400, "VOLUME::INVALID_HOST_PATH"},
		{onHost(s.allowed, "file/x", false), 500, "VOLUME::HOST_PATH_CREATE_FAILED"},
	} {
		_, err := s.try(c.v)
		requireCode(t, err, c.status, c.code)
	}
	require.NoDirExists(t, outside+"/x")

	strict := newShelf(t, func(o *Options) { o.Volumes.NoCreate = true })
	_, err := strict.try(onHost(strict.allowed, "absent", false))
	requireCode(t, err, 400, "VOLUME::HOST_PATH_NOT_FOUND")
	none := newShelf(t, func(o *Options) { o.Volumes.Policy.HostPaths = nil })
	_, err = none.try(onHost(none.allowed, "", false))
	requireCode(t, err, 400, "VOLUME::HOST_PATH_NOT_ALLOWED")
}

// "/" allows every path but those with which a sandbox would have the host or the server.
func TestWhatNoAllowlistGivesAway(t *testing.T) {
	s := newShelf(t, func(o *Options) { o.Volumes.Policy.HostPaths = []string{"/"} })
	info, err := s.cli.Info(t.Context())
	require.NoError(t, err)
	for _, p := range []string{
		"/", "/etc", "/etc/ssl", "/proc", "/proc/self", "/sys/fs", "/dev", "/run", "/var/run", "/var/lib", "/run/docker.sock", "/var/run/docker.sock",
		info.DockerRootDir, info.DockerRootDir + "/volumes",
	} {
		_, err := s.try(onHost(p, "", true))
		requireCode(t, err, 400, "VOLUME::HOST_PATH_NOT_ALLOWED")
	}
	s.must(s.sandbox(onHost(s.allowed, "", false)), "touch /mnt/h/x")

	_, err = New(t.Context(), Options{
		Instance: "x", NetworkMode: networkBridge, ExecdImage: execdImage(),
		Volumes: Volumes{Policy: volume.Policy{HostPaths: []string{"/srv", "/etc/app"}}},
	})
	require.ErrorContains(t, err, `"/etc/app" is part of /etc`)
}

// A sandbox that may write above another one's mount swaps it for a link while that one is
// being made. Whoever wins, the other mounts what was checked.
func TestASwappedPathIsNeverMounted(t *testing.T) {
	s := newShelf(t, nil)
	canary := t.TempDir()
	require.NoError(t, os.WriteFile(canary+"/canary", []byte("canary"), 0o644))
	require.NoError(t, os.Mkdir(s.allowed+"/data", 0o777))
	thief := s.sandbox(onHost(s.allowed, "", false))
	s.must(thief, "cd /mnt/h && ln -s "+canary+" link && (while [ ! -e stop ]; do mv -T data aside; mv -T link data; mv -T data link; mv -T aside data; done) >/dev/null 2>&1 &")
	defer func() { s.must(thief, "touch /mnt/h/stop") }()
	mounted := 0
	for range 8 {
		id, err := s.try(onHost(s.allowed, "data", false))
		if err != nil {
			continue
		}
		mounted++
		_, code := s.sh(id, "cat /mnt/h/canary")
		require.NotZero(t, code, "the canary was read")
		s.delete(id)
	}
	t.Logf("%d of 8 were made", mounted)
}

// A server that may not mount gives the engine the path, and looks again after the start.
func TestWithoutTheRightToMount(t *testing.T) {
	proxy := enginetest.Start(t)
	s := newShelf(t, func(o *Options) { o.Host = proxy.Host() })
	s.Runtime.volumes.unstaged.Store(true)
	require.NoError(t, os.Mkdir(s.allowed+"/data", 0o777))
	id := s.sandbox(onHost(s.allowed, "data", false))
	s.must(id, "echo x > /mnt/h/note")
	require.FileExists(t, s.allowed+"/data/note")

	outside := t.TempDir()
	proxy.Fault(enginetest.Fault{Match: enginetest.StartContainer, Nth: 1, Do: enginetest.Pass, Before: func(enginetest.Request) {
		assert.NoError(t, os.Rename(s.allowed+"/data", s.allowed+"/aside"))
		assert.NoError(t, os.Symlink(outside, s.allowed+"/data"))
	}})
	_, err := s.try(onHost(s.allowed, "data", false))
	requireCode(t, err, http.StatusBadRequest, "VOLUME::HOST_PATH_NOT_ALLOWED")
}

func TestGVisorMountsVolumes(t *testing.T) {
	t.Setenv("DOCKER_HOST", dockertest.GVisor(t, demoImage(), execdImage()).Host())
	s := newShelf(t, func(o *Options) { o.Hardening.OCIRuntime = "runsc" })
	name := "v-" + uuid.NewString()
	folder := claimed(name, "a", true)
	folder.Name, folder.MountPath = "d", "/mnt/d"
	id := s.sandbox(onHost(s.allowed, "data", false), claimed(name, "", true), folder)
	s.must(id, "echo host > /mnt/h/note && echo deep > /mnt/d/note")
	require.Equal(t, "deep", s.must(id, "cat /mnt/c/a/note"))
	text, err := os.ReadFile(s.allowed + "/data/note")
	require.NoError(t, err)
	require.Equal(t, "host\n", string(text))
	s.delete(id)
	require.Empty(t, s.volumes(t))
}
