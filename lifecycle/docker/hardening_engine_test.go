//go:build docker

package docker

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	dockerimage "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hardening"
)

// What a process in a sandbox sees of every option, on a kernel that enforces it.
func TestHardeningInsideASandbox(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "seccomp.json")
	require.NoError(t, os.WriteFile(profile, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}`), 0o600))
	r, cli := open(t, func(o *Options) {
		o.Hardening = hardening.Options{
			SeccompProfile: profile, PidsLimit: 50, LogBytes: 20 << 10, LogFiles: 2, ShmBytes: 2 << 20,
			Tmpfs: []string{"/scratch:size=1Mi", "/tools:size=1Mi,exec"}, Ulimits: []string{"nofile=99:100", "core=0"},
			ExtraHosts: []string{"db.internal:10.9.8.7"}, DNS: []string{"9.8.7.6"}, DNSSearch: []string{"edge.example"}, DNSOptions: []string{"ndots:3"},
			DefaultMemory: 64 << 20, DefaultNanoCPUs: 1e18,
		}
	}), engineClient(t)
	s := spec(uuid.NewString())
	_, err := r.Create(t.Context(), s)
	require.NoError(t, err)

	c, err := cli.ContainerInspect(t.Context(), "sandbox-"+s.ID)
	require.NoError(t, err)
	info, err := cli.Info(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, c.HostConfig.Memory)
	require.EqualValues(t, 64<<20, c.HostConfig.MemorySwap)
	require.EqualValues(t, int64(info.NCPU)*1e9, c.HostConfig.NanoCPUs, "the default is never more than the engine has")
	require.Equal(t, map[string]string{"max-size": "20480", "max-file": "2"}, c.HostConfig.LogConfig.Config)

	for _, c := range []struct {
		command string
		works   bool
	}{
		{"grep -q '^NoNewPrivs:.1' /proc/self/status", true},
		{"grep -q '^Seccomp:.2' /proc/self/status", true},
		{"mkdir /tmp/x", false}, // seccomp
		{"test $(cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null) = 50", true},
		{"grep -Eq '^Max open files +99 +100' /proc/1/limits", true},
		{"dd if=/dev/zero of=/dev/shm/x bs=1M count=1", true},
		{"dd if=/dev/zero of=/dev/shm/x bs=1M count=3", false},
		{"printf '#!/bin/sh\\n' >/scratch/s && chmod +x /scratch/s", true},
		{"/scratch/s", false}, // noexec
		{"dd if=/dev/zero of=/scratch/x bs=1M count=2", false},
		{"printf '#!/bin/sh\\n' >/tools/s && chmod +x /tools/s && /tools/s", true},
		{"grep -q '10.9.8.7.*db.internal' /etc/hosts", true},
		{"grep -q 'nameserver 9.8.7.6' /etc/resolv.conf", true},
		{"grep -q 'search edge.example' /etc/resolv.conf", true},
		{"grep -q 'options ndots:3' /etc/resolv.conf", true},
		{"i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done", false}, // more than 50 processes
	} {
		out, code := run(t, cli, s.ID, "sh", "-c", c.command)
		require.Equal(t, c.works, code == 0, "%s: %d %s", c.command, code, out)
	}
}

func TestCapabilitiesOfASandbox(t *testing.T) {
	cli := engineClient(t)
	effective := func(o hardening.Options) string {
		r := open(t, func(opts *Options) { opts.Hardening = o })
		s := spec(uuid.NewString())
		_, err := r.Create(t.Context(), s)
		require.NoError(t, err)
		out, code := run(t, cli, s.ID, "sh", "-c", "grep CapBnd /proc/self/status; grep NoNewPrivs /proc/self/status; chown 1000 /tmp && echo owner changed")
		require.Zero(t, code, out)
		return out
	}
	// The engine's fourteen, without AUDIT_WRITE (29), MKNOD (27) and NET_RAW (13).
	require.Contains(t, effective(hardening.Options{}), "00000000800405fb")
	all := effective(hardening.Options{DropCapabilities: []string{}, AllowNewPrivileges: true})
	require.Contains(t, all, "00000000a80425fb")
	require.Contains(t, all, "NoNewPrivs:\t0")
}

func TestNoPidsLimit(t *testing.T) {
	r, cli := open(t, func(o *Options) { o.Hardening.PidsLimit = -1 }), engineClient(t)
	s := spec(uuid.NewString())
	_, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	out, code := run(t, cli, s.ID, "sh", "-c", "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true")
	require.Zero(t, code)
	require.Equal(t, "max", strings.TrimSpace(out))
}

func TestTheEnginesLogOfASandboxIsBounded(t *testing.T) {
	r, cli := open(t, func(o *Options) { o.Hardening.LogBytes, o.Hardening.LogFiles = 16<<10, 1 }), engineClient(t)
	s := spec(uuid.NewString())
	s.Entrypoint = []string{"sh", "-c", "yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | head -c 2000000; sleep 600"}
	_, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	c, err := cli.ContainerInspect(t.Context(), "sandbox-"+s.ID)
	require.NoError(t, err)
	if _, err := os.Stat(filepath.Dir(c.LogPath)); err != nil {
		t.Skipf("SKIPPED: the engine's logs are not on this machine: %v", err)
	}
	require.Eventually(t, func() bool { // all of it has been written when sleep runs
		top, err := cli.ContainerTop(t.Context(), c.ID, nil)
		return err == nil && strings.Contains(strings.Join(flat(top.Processes), " "), "sleep 600")
	}, waitFor, 10*time.Millisecond)
	require.Eventually(t, func() bool { // for a moment, while one file takes the place of the other, there is none
		file, err := os.Stat(c.LogPath)
		return err == nil && file.Size() < 64<<10
	}, waitFor, 10*time.Millisecond)
}

func flat(rows [][]string) (all []string) {
	for _, row := range rows {
		all = append(all, row...)
	}
	return all
}

// A wish that this engine cannot fulfil fails the start, or the create with the key's name.
func TestUnfulfillableOptions(t *testing.T) {
	cli := engineClient(t)
	info, err := cli.Info(t.Context())
	require.NoError(t, err)
	start := func(o hardening.Options) error {
		opts := Options{Instance: "test-" + uuid.NewString()[:8], Adopt: AdoptOwn, NetworkMode: networkBridge, ExecdImage: execdImage(), Hardening: o}
		r, err := New(t.Context(), opts)
		if err == nil {
			require.NoError(t, r.Close())
		}
		return err
	}
	if !strings.Contains(strings.Join(info.SecurityOptions, " "), "apparmor") {
		typed := requireCode(t, start(hardening.Options{AppArmorProfile: "edge"}), http.StatusServiceUnavailable, codeInitialization)
		require.Contains(t, typed.Message, "docker.apparmor_profile")
		require.NoError(t, start(hardening.Options{AppArmorProfile: "unconfined"}))
	}
	if info.Driver == "overlay2" && strings.Contains(strings.Join(flatPairs(info.DriverStatus), " "), "extfs") {
		typed := requireCode(t, start(hardening.Options{StorageBytes: 1 << 30}), http.StatusServiceUnavailable, codeInitialization)
		require.Contains(t, typed.Message, "docker.storage_size")
	}
	r := open(t, func(o *Options) {
		o.Hardening.SeccompProfile = `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_NONE_SUCH"]}`
	})
	s := spec(uuid.NewString())
	_, err = r.Create(t.Context(), s)
	typed := requireCode(t, err, http.StatusInternalServerError, codeStartFailed)
	require.Contains(t, typed.Message, "docker.seccomp_profile", "%v", err)
	require.NoError(t, r.Delete(t.Context(), s.ID))
}

func flatPairs(pairs [][2]string) (all []string) {
	for _, pair := range pairs {
		all = append(all, pair[:]...)
	}
	return all
}

func TestForeignImagesRunUnlessAPlatformIsAskedFor(t *testing.T) {
	r, cli := open(t, nil), engineClient(t)
	foreign := foreignImage(t, cli)
	s := spec(uuid.NewString())
	s.Image = foreign
	_, err := r.Create(t.Context(), s)
	require.NoError(t, err, "an image that is here is used, whatever it says of itself")
	require.NoError(t, r.Delete(t.Context(), s.ID))

	s = spec(uuid.NewString())
	s.Image, s.Platform = foreign, &lifecycle.Platform{OS: "linux", Arch: runtime.GOARCH}
	_, err = r.Create(t.Context(), s)
	typed := requireCode(t, err, http.StatusInternalServerError, codePullFailed)
	require.Contains(t, typed.Message, foreign)
}

// foreignImage is a local image that says it is for another architecture than it is.
func foreignImage(t *testing.T, cli *client.Client) string {
	t.Helper()
	foreign := "arm64"
	if runtime.GOARCH == foreign {
		foreign = "amd64"
	}
	saved := filepath.Join(t.TempDir(), "image.tar")
	stream, err := cli.ImageSave(t.Context(), []string{demoImage()})
	require.NoError(t, err)
	defer stream.Close()
	file, err := os.Create(saved)
	require.NoError(t, err)
	_, err = io.Copy(file, stream)
	require.NoError(t, err)
	require.NoError(t, file.Close())

	image, err := tarball.ImageFromPath(saved, nil)
	require.NoError(t, err)
	settings, err := image.ConfigFile()
	require.NoError(t, err)
	settings = settings.DeepCopy()
	settings.Architecture = foreign
	image, err = mutate.ConfigFile(image, settings)
	require.NoError(t, err)
	tag, err := name.NewTag("127.0.0.1:1/opensandbox-test/" + uuid.NewString() + ":v") // no registry: a pull fails at once
	require.NoError(t, err)
	var changed bytes.Buffer
	require.NoError(t, tarball.Write(tag, image, &changed))
	answer, err := cli.ImageLoad(t.Context(), &changed)
	require.NoError(t, err)
	require.NoError(t, readProgress(answer.Body))
	require.NoError(t, answer.Body.Close())
	t.Cleanup(func() {
		_, err := cli.ImageRemove(context.Background(), tag.String(), dockerimage.RemoveOptions{Force: true})
		require.NoError(t, err)
	})
	found, err := cli.ImageInspect(t.Context(), tag.String())
	require.NoError(t, err)
	require.Equal(t, foreign, found.Architecture)
	return tag.String()
}
