package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"
)

// standIn is a static binary in execd's place, which keeps the test quick.
func standIn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "execd")
	require.NoError(t, compile(t.Context(), "./deploy/images/demo", path, runtime.GOARCH))
	return path
}

func buildInto(t *testing.T, out, execd string) {
	t.Helper()
	require.NoError(t, run(t.Context(), []string{"-out", out, "-execd", execd, "-tag", "test"}))
}

// files reads the flattened file system of an image.
func files(t *testing.T, img v1.Image) map[string]*tar.Header {
	t.Helper()
	content := mutate.Extract(img)
	defer content.Close()
	out := map[string]*tar.Header{}
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		out[filepath.Clean(h.Name)] = h
	}
}

func open(t *testing.T, dir, image string) (v1.Image, *v1.ConfigFile) {
	t.Helper()
	tag, err := name.NewTag("opensandbox/" + image + ":test")
	require.NoError(t, err)
	img, err := tarball.ImageFromPath(filepath.Join(dir, image+".tar"), &tag)
	require.NoError(t, err)
	config, err := img.ConfigFile()
	require.NoError(t, err)
	return img, config
}

func TestTwoBuildsGiveTheSameBytes(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	buildInto(t, one, standIn(t))
	buildInto(t, two, standIn(t)) // compiled again, at another path
	for _, image := range []string{"execd.tar", "demo.tar", "execd.sha256"} {
		a, err := os.ReadFile(filepath.Join(one, image))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(two, image))
		require.NoError(t, err)
		require.Equal(t, sha256Hex(a), sha256Hex(b), image)
	}
}

func TestImages(t *testing.T) {
	dir, execd := t.TempDir(), standIn(t)
	buildInto(t, dir, execd)
	binary, err := os.ReadFile(execd)
	require.NoError(t, err)

	t.Run("execd", func(t *testing.T) {
		img, config := open(t, dir, "execd")
		require.Equal(t, []string{"/execd"}, config.Config.Entrypoint)
		require.Equal(t, sha256Hex(binary), config.Config.Labels[labelExecdDigest])
		require.Equal(t, runtime.GOARCH, config.Architecture)
		require.True(t, config.Created.Equal(built))
		found := files(t, img)
		require.EqualValues(t, 0o755, found["execd"].Mode)
		require.EqualValues(t, len(binary), found["execd"].Size)
		for _, same := range []string{"bootstrap.sh", "opt/opensandbox/execd", "opt/opensandbox/bootstrap.sh"} {
			require.Equal(t, "execd", found[same].Linkname, same)
			require.EqualValues(t, tar.TypeLink, found[same].Typeflag, same)
		}
		require.EqualValues(t, 0o1777, found["opt/opensandbox/run"].Mode)
		require.Equal(t, "run/.env", found["opt/opensandbox/.env"].Linkname)
		require.Equal(t, "run/merged-ca-certificates.pem", found["opt/opensandbox/merged-ca-certificates.pem"].Linkname)
		for _, applet := range []string{"sh", "cp", "mkdir", "chmod", "sleep", "tail"} {
			require.Equal(t, "busybox", found["bin/"+applet].Linkname, applet)
		}
		for path, h := range found {
			require.True(t, h.ModTime.Equal(built), path)
			require.Zero(t, h.Uid, path)
		}
	})

	t.Run("demo", func(t *testing.T) {
		img, config := open(t, dir, "demo")
		require.Equal(t, []string{"/usr/bin/demo-web"}, config.Config.Cmd)
		require.Contains(t, config.Config.ExposedPorts, "8080/tcp")
		found := files(t, img)
		for _, path := range []string{"bin/sh", "bin/ls", "bin/cat", "bin/wget", "usr/bin/demo-web", "etc/passwd", "tmp", "workspace"} {
			require.Contains(t, found, path)
		}
		require.EqualValues(t, 0o1777, found["tmp"].Mode)
		require.Equal(t, 1000, found["home/demo"].Uid)
	})
}

func TestBadInput(t *testing.T) {
	require.ErrorContains(t, run(t.Context(), nil), "-out")
	require.ErrorContains(t, run(t.Context(), []string{"-out", t.TempDir(), "-busybox", "/absent/busybox"}), "busybox-static")
	script := filepath.Join(t.TempDir(), "execd")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755))
	require.ErrorContains(t, run(t.Context(), []string{"-out", t.TempDir(), "-execd", script}), "not a Linux executable")
	_, err := readStatic("/bin/ls", runtime.GOARCH)
	require.ErrorContains(t, err, "dynamically linked")
	_, err = readStatic(standIn(t), "riscv64")
	require.ErrorContains(t, err, "riscv64")
}
