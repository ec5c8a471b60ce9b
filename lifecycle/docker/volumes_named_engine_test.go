//go:build docker

package docker

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	dockervolume "github.com/docker/docker/api/types/volume"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
	"github.com/opensandbox-edge/edge/lifecycle/docker/namedvolume"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

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

// A volume whose removal is under way is not mounted, and one that is about to be mounted is
// not removed: the engine would make a new one of that name, which nobody ever removes.
func TestRemovalsAndCreatesOfOneVolumeTakeTurns(t *testing.T) {
	proxy := enginetest.Start(t)
	s := newShelf(t, func(o *Options) { o.Host = proxy.Host() })
	name := "v-" + uuid.NewString()
	remove := enginetest.On(http.MethodDelete, "/volumes/[^/]+")
	type outcome struct {
		id  string
		err error
	}
	create := func() <-chan outcome {
		done := make(chan outcome, 1)
		go func() {
			id, err := s.try(claimed(name, "", true))
			done <- outcome{id, err}
		}()
		return done
	}
	reached := func(match enginetest.Match) {
		require.Eventually(t, func() bool { return len(proxy.Requests(match)) > 0 }, time.Minute, 5*time.Millisecond)
	}

	first := s.sandbox(claimed(name, "", true))
	proxy.Reset()
	proxy.Fault(enginetest.Fault{Match: remove, Nth: 1, Do: enginetest.Hold})
	deleted := make(chan error, 1)
	go func() { deleted <- s.Delete(t.Context(), first) }()
	reached(remove)
	made := create()
	require.Never(t, func() bool { return len(proxy.Requests(enginetest.CreateContainer)) > 0 }, 300*time.Millisecond, 20*time.Millisecond)
	proxy.Release()
	require.NoError(t, <-deleted)
	second := <-made
	require.NoError(t, second.err)
	require.Equal(t, []string{name}, s.volumes(t))

	proxy.Reset()
	proxy.Fault(enginetest.Fault{Match: enginetest.CreateContainer, Nth: 1, Do: enginetest.Hold})
	made = create()
	reached(enginetest.CreateContainer)
	s.delete(second.id)
	require.Equal(t, []string{name}, s.volumes(t), "it is about to be mounted")
	proxy.Release()
	third := <-made
	require.NoError(t, third.err)
	s.delete(third.id)
	require.Empty(t, s.volumes(t))
}
