//go:build docker

package bootstrap_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The images of this run: one with nothing but our files, one with a shell.
var (
	run      = strings.ToLower(rand.Text()[:12])
	bare     = "opensandbox-execd-test-bare:" + run
	withSh   = "opensandbox-execd-test-busybox:" + run
	labelArg = "--label=opensandbox-execd-test=" + run
)

const (
	initPath  = "/opt/opensandbox/bootstrap.sh"
	execdPath = "/opt/opensandbox/execd"
	caPath    = "/opt/opensandbox/mitmproxy-ca-cert.pem"
)

func TestMain(m *testing.M) { os.Exit(withImages(m)) }

func withImages(m *testing.M) int {
	dir, err := os.MkdirTemp("", "execd-docker-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "execd")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "../../cmd/opensandbox-execd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Printf("build: %v\n%s", err, out)
		return 1
	}
	defer func() { _ = exec.Command("docker", "rmi", "-f", bare, withSh).Run() }()
	for image, shell := range map[string]string{bare: "", withSh: busybox()} {
		if err := importImage(image, binary, shell); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	return m.Run()
}

// busybox finds the static one of the distribution's package.
func busybox() string {
	path, err := exec.LookPath("busybox")
	if err != nil {
		fmt.Println("busybox is missing: apt-get install busybox-static")
	}
	return path
}

// importImage makes an image laid out as a sandbox sees it.
func importImage(image, binary, shell string) error {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	text := func(name, data string) error {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
			return err
		}
		_, err := w.Write([]byte(data))
		return err
	}
	file := func(name, source string) error {
		data, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		return text(name, string(data))
	}
	entry := func(h tar.Header) error { return w.WriteHeader(&h) }
	steps := []func() error{
		func() error {
			return entry(tar.Header{Typeflag: tar.TypeDir, Name: "opt/opensandbox/run/", Mode: 0o1777})
		},
		func() error { return file("opt/opensandbox/execd", binary) },
		func() error {
			return entry(tar.Header{Typeflag: tar.TypeLink, Name: "opt/opensandbox/bootstrap.sh", Mode: 0o755, Linkname: "opt/opensandbox/execd"})
		},
		func() error {
			return entry(tar.Header{Typeflag: tar.TypeSymlink, Name: "opt/opensandbox/.env", Linkname: "run/.env"})
		},
		func() error { return entry(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}) },
	}
	if shell != "" {
		steps = append(steps, func() error { return text("etc/ssl/cert.pem", "ROOTS\n") })
		steps = append(steps, func() error { return file("bin/busybox", shell) })
		for _, applet := range []string{"sh", "sleep", "wget", "kill", "cat", "ls", "grep", "id", "touch", "pidof", "head", "seq", "env", "sed", "true"} {
			steps = append(steps, func() error {
				return entry(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox"})
			})
		}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	cmd := exec.Command("docker", "import", "-", image)
	cmd.Stdin = &b
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("docker import: %w: %s", err, out)
	}
	return nil
}

// container is one sandbox.
type container struct {
	t    *testing.T
	name string
}

// start runs the init as the container's entrypoint. flags end where argv, which
// begins with the image, starts.
func start(t *testing.T, flags []string, argv ...string) *container {
	t.Helper()
	c := &container{t, "execd-test-" + strings.ToLower(rand.Text()[:12])}
	args := append([]string{"run", "-d", labelArg, "--name", c.name, "--network", "none", "--entrypoint", initPath}, flags...)
	out, err := exec.Command("docker", append(args, argv...)...).CombinedOutput()
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-f", c.name).Run() })
	require.NoError(t, err, "%s", out)
	return c
}

// end waits for the container and returns its exit code.
func (c *container) end() int {
	c.t.Helper()
	out, err := exec.Command("docker", "wait", c.name).Output()
	require.NoError(c.t, err)
	code, err := strconv.Atoi(strings.TrimSpace(string(out)))
	require.NoError(c.t, err)
	return code
}

func (c *container) logs() string {
	out, _ := exec.Command("docker", "logs", c.name).CombinedOutput()
	return string(out)
}

// output is what went to stdout. The engine reads the two streams side by side, so where
// they meet in the log says nothing about order.
func (c *container) output() string {
	out, _ := exec.Command("docker", "logs", c.name).Output()
	return string(out)
}

// sh runs a script in the container and returns what it prints.
func (c *container) sh(script string) (string, error) {
	out, err := exec.Command("docker", "exec", c.name, "/bin/sh", "-c", script).CombinedOutput()
	return string(out), err
}

// command has execd run a command and returns the events.
func (c *container) command(body string) string {
	out, _ := c.sh("wget -q -O - --post-data '" + body + "' http://127.0.0.1:44772/command")
	return out
}

func (c *container) up() bool {
	_, err := c.sh("wget -q -O /dev/null http://127.0.0.1:44772/ping")
	return err == nil
}

func (c *container) eventually(what string, condition func() bool) {
	c.t.Helper()
	require.Eventually(c.t, condition, 2*time.Minute, 100*time.Millisecond, "%s; logs:\n%s", what, c.logs())
}
