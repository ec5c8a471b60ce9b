//go:build docker

package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle/volume"
	"github.com/opensandbox-edge/edge/secret"
)

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
