//go:build docker

package docker

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	dockervolume "github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/lifecycle/docker/namedvolume"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
	"github.com/opensandbox-edge/edge/secret"
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
	left, err := os.ReadDir(s.Runtime.volumes.host.Protected[len(alwaysProtected)])
	require.NoError(t, err)
	require.Empty(t, left)
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

func TestNamedVolumes(t *testing.T) {
	s := newShelf(t, nil)
	name := "v-" + uuid.NewString()
	without := claimed(name, "", false)
	without.Claim.Create = false
	_, err := s.try(without)
	requireCode(t, err, 400, "VOLUME::PVC_NOT_FOUND")

	id := s.sandbox(claimed(name, "", false))
	s.must(id, "echo kept > /mnt/c/note")
	found, err := s.cli.VolumeInspect(t.Context(), name)
	require.NoError(t, err)
	require.Equal(t, "server", found.Labels["opensandbox.io/volume-managed-by"])
	s.delete(id)

	// It stays, and a folder of it can be mounted by itself.
	id = s.sandbox(claimed(name, "a/b", false))
	s.must(id, "echo deep > /mnt/c/note")
	s.delete(id)
	id = s.sandbox(without)
	require.Equal(t, "kept deep", s.must(id, "echo $(cat /mnt/c/note /mnt/c/a/b/note)"))
	s.must(id, "ln -s / /mnt/c/out && ln -s .. /mnt/c/up")
	for _, sub := range []string{"out", "out/etc", "up/up"} {
		_, err := s.try(claimed(name, sub, false))
		requireCode(t, err, 400, "VOLUME::INVALID_SUB_PATH")
	}
	s.delete(id)
	require.Equal(t, []string{name}, s.volumes(t))
}

func TestVolumesOfOthers(t *testing.T) {
	s := newShelf(t, func(o *Options) { o.Volumes.Policy.Claims = []string{} })
	foreign := "pgdata-" + uuid.NewString()
	_, err := s.cli.VolumeCreate(t.Context(), dockervolume.CreateOptions{Name: foreign})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.cli.VolumeRemove(context.Background(), foreign, true)) }()
	for name, code := range map[string]string{
		foreign: "VOLUME::PVC_NOT_ALLOWED",
		"opensandbox-runtime-" + uuid.NewString(): "VOLUME::PVC_NOT_ALLOWED",
		s.execd.ready.Load().volume:               "VOLUME::INVALID_PVC_NAME",
	} {
		_, err := s.try(claimed(name, "", true))
		requireCode(t, err, 400, code)
	}

	open := newShelf(t, nil)
	id := open.sandbox(claimed(foreign, "", true))
	open.delete(id)
	_, err = s.cli.VolumeInspect(t.Context(), foreign)
	require.NoError(t, err, "a volume that was there before was removed")

	nfs := "nfs-" + uuid.NewString()
	_, err = s.cli.VolumeCreate(t.Context(), dockervolume.CreateOptions{Name: nfs, DriverOpts: map[string]string{"type": "tmpfs", "device": "tmpfs"}})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.cli.VolumeRemove(context.Background(), nfs, true)) }()
	_, err = open.try(claimed(nfs, "a", false))
	requireCode(t, err, 400, "VOLUME::PVC_SUBPATH_UNSUPPORTED_DRIVER")
}

func TestVolumesGoWithTheirLastSandbox(t *testing.T) {
	name := func() string { return "v-" + uuid.NewString() }
	t.Run("delete", func(t *testing.T) {
		s := newShelf(t, nil)
		s.delete(s.sandbox(claimed(name(), "", true)))
		require.Empty(t, s.volumes(t))
	})
	t.Run("shared", func(t *testing.T) {
		s := newShelf(t, nil)
		n := name()
		first, second, folder := s.sandbox(claimed(n, "", true)), s.sandbox(claimed(n, "", false)), s.sandbox(claimed(n, "a", false))
		s.delete(first)
		require.Len(t, s.volumes(t), 1)
		s.delete(second)
		require.Len(t, s.volumes(t), 1, "a folder of it is in use")
		s.must(folder, "touch /mnt/c/x")
		s.delete(folder)
		require.Empty(t, s.volumes(t))
	})
	t.Run("at once", func(t *testing.T) {
		s := newShelf(t, nil)
		n, ids := name(), make([]string, 4)
		var work sync.WaitGroup
		for i := range ids {
			work.Go(func() {
				var err error
				ids[i], err = s.try(claimed(n, "", true))
				assert.NoError(t, err)
			})
		}
		work.Wait()
		for _, id := range ids {
			work.Go(func() { assert.NoError(t, s.Delete(t.Context(), id)) })
		}
		work.Wait()
		require.Empty(t, s.volumes(t))
	})
	t.Run("removed by hand", func(t *testing.T) {
		s := newShelf(t, nil)
		id := s.sandbox(claimed(name(), "", true))
		require.NoError(t, s.cli.ContainerRemove(t.Context(), "sandbox-"+id, container.RemoveOptions{Force: true}))
		s.delete(id)
		require.Empty(t, s.volumes(t))
	})
	t.Run("failed create", func(t *testing.T) {
		s := newShelf(t, nil)
		wanted := spec(uuid.NewString())
		wanted.Image = "127.0.0.1:1/nobody/nothing:absent"
		wanted.Volumes = []volume.Volume{claimed(name(), "", true)}
		_, err := s.Create(t.Context(), wanted)
		require.Error(t, err)
		require.Len(t, s.volumes(t), 1)
		s.delete(wanted.ID)
		require.Empty(t, s.volumes(t))
	})
	t.Run("later volume fails", func(t *testing.T) {
		s := newShelf(t, nil)
		absent := claimed(name(), "", false)
		absent.Name, absent.MountPath, absent.Claim.Create = "d", "/mnt/d", false
		_, err := s.try(claimed(name(), "", true), absent)
		requireCode(t, err, http.StatusBadRequest, "VOLUME::PVC_NOT_FOUND")
		require.Empty(t, s.volumes(t))
	})
	t.Run("crash", func(t *testing.T) {
		s := newShelf(t, nil)
		_, err := s.cli.VolumeCreate(t.Context(), dockervolume.CreateOptions{Name: name(), Labels: map[string]string{
			LabelManagedBy: namedvolume.ManagedByServer, LabelInstance: s.opts.Instance, namedvolume.LabelDelete: "with-last-sandbox",
		}})
		require.NoError(t, err)
		again, err := New(t.Context(), s.opts)
		require.NoError(t, err)
		require.NoError(t, again.Close())
		require.Empty(t, s.volumes(t))
	})
}

// standIn mounts a folder of its own in place of a bucket.
const standIn = `#!/bin/sh
exec mount --bind "$(dirname "$0")/bucket" "$2"
`

func TestBuckets(t *testing.T) {
	program, root := t.TempDir(), t.TempDir()
	require.NoError(t, os.Mkdir(program+"/bucket", 0o777))
	require.NoError(t, os.WriteFile(program+"/bucket/object", []byte("content"), 0o644))
	for _, name := range []string{"ossfs", "ossfs2"} {
		require.NoError(t, os.WriteFile(filepath.Join(program, name), []byte(standIn), 0o755))
	}
	t.Setenv("PATH", program+":"+os.Getenv("PATH"))
	s := newShelf(t, func(o *Options) { o.Volumes.OSSFSRoot, o.Volumes.Policy.Endpoints = root, []string{"*.example.com"} })
	mounts := func() int {
		text, err := os.ReadFile("/proc/self/mountinfo")
		require.NoError(t, err)
		return strings.Count(string(text), " "+root+"/")
	}
	bucket := func(key string, readOnly bool) volume.Volume {
		return volume.Volume{Name: "o", MountPath: "/mnt/o", ReadOnly: readOnly, OSSFS: &volume.OSSFS{
			Bucket: "bucket", Endpoint: "oss.example.com", Version: volume.OSSFS2, KeyID: secret.New("id"), KeySecret: secret.New(key),
		}}
	}
	one := bucket("k", false)
	one.OSSFS.Version = volume.OSSFS1
	first, second, other := s.sandbox(bucket("k", false)), s.sandbox(bucket("k", true)), s.sandbox(one)
	require.Equal(t, 2, mounts())
	for _, id := range []string{first, second, other} {
		require.Equal(t, "content", s.must(id, "cat /mnt/o/object"))
	}
	s.must(first, "touch /mnt/o/written")
	_, code := s.sh(second, "touch /mnt/o/refused")
	require.NotZero(t, code)
	s.delete(other)
	s.delete(first)
	require.Equal(t, 1, mounts())

	// The next process knows from the label who uses the mount.
	c, err := s.cli.ContainerInspect(t.Context(), "sandbox-"+second)
	require.NoError(t, err)
	require.Contains(t, c.Config.Labels[LabelOSSFSMounts], root)
	require.NotContains(t, c.Config.Labels[LabelOSSFSMounts], "id")
	again, err := New(t.Context(), s.opts)
	require.NoError(t, err)
	require.Equal(t, 1, mounts())
	s.Runtime = again
	s.delete(second)
	require.Zero(t, mounts())
	t.Cleanup(func() { require.NoError(t, again.Close()) })

	// A create that fails later gives its bucket back, and so does one whose container is gone.
	_, err = s.try(bucket("k", false), claimed("opensandbox-x", "", false))
	require.Error(t, err)
	absent := claimed("v-"+uuid.NewString(), "", false)
	absent.Claim.Create = false
	_, err = s.try(bucket("k", false), absent)
	requireCode(t, err, 400, "VOLUME::PVC_NOT_FOUND")
	require.Zero(t, mounts())
	third := s.sandbox(bucket("k", false))
	require.NoError(t, s.cli.ContainerRemove(t.Context(), "sandbox-"+third, container.RemoveOptions{Force: true}))
	s.delete(third)
	require.Zero(t, mounts())
	_, err = s.try(volume.Volume{Name: "o", MountPath: "/mnt/o", OSSFS: &volume.OSSFS{
		Bucket: "bucket", Endpoint: "169.254.169.254", Version: volume.OSSFS2, KeyID: secret.New("id"), KeySecret: secret.New("k"),
	}})
	requireCode(t, err, 400, "VOLUME::INVALID_OSSFS_ENDPOINT")
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
