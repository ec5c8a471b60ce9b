//go:build docker

package docker

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	dockerimage "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/runtimetest"
)

// execdImage and demoImage are built by `make images`.
func execdImage() string { return cmp.Or(os.Getenv("EDGE_EXECD_IMAGE"), "opensandbox/execd:edge") }
func demoImage() string  { return cmp.Or(os.Getenv("EDGE_DEMO_IMAGE"), "opensandbox/demo:edge") }

// open makes a Runtime of its own instance; whatever carries the instance's label is
// removed after the test, also when the test failed half-way.
func open(t *testing.T, change func(*Options)) *Runtime {
	t.Helper()
	opts := Options{
		Instance: "test-" + uuid.NewString()[:8], Adopt: AdoptOwn, NetworkMode: networkBridge,
		Reach:      ReachAddress, // many count calls; the probe is for those that ask for it
		ExecdImage: execdImage(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&opts)
	}
	cli := engineClient(t)
	t.Cleanup(func() { removeAll(t, cli, LabelInstance+"="+opts.Instance) })
	r, err := New(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// engineClient talks to the engine past the code under test.
func engineClient(t *testing.T) *client.Client {
	t.Helper()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	_, err = cli.ImageInspect(t.Context(), execdImage())
	require.NoError(t, err, "run `make images` first")
	t.Cleanup(func() { _ = cli.Close() })
	return cli
}

func removeAll(t *testing.T, cli *client.Client, label string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label))})
	require.NoError(t, err)
	for _, c := range found {
		_ = cli.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}
}

// spec is a sandbox that runs until its pipe is written to. Opening it is tried again,
// because a resume under gVisor interrupts it.
func spec(id string) lifecycle.Spec {
	return lifecycle.Spec{
		ID: id, Image: demoImage(), Timeout: time.Hour,
		Entrypoint: []string{"sh", "-c", `mkfifo /tmp/end; until read code </tmp/end; do :; done; exit "$code"`},
	}
}

// run executes a command in a sandbox and returns its output.
func run(t *testing.T, cli *client.Client, id string, argv ...string) (string, int) {
	t.Helper()
	// Without a terminal: rm and mv would ask questions on one.
	made, err := cli.ContainerExecCreate(t.Context(), "sandbox-"+id, container.ExecOptions{Cmd: argv, AttachStdout: true, AttachStderr: true})
	require.NoError(t, err)
	attached, err := cli.ContainerExecAttach(t.Context(), made.ID, container.ExecAttachOptions{})
	require.NoError(t, err)
	defer attached.Close()
	require.NoError(t, attached.Conn.SetReadDeadline(time.Now().Add(time.Minute)))
	var out bytes.Buffer
	_, err = stdcopy.StdCopy(&out, &out, attached.Reader)
	require.NoError(t, err)
	done, err := cli.ContainerExecInspect(t.Context(), made.ID)
	require.NoError(t, err)
	return out.String(), done.ExitCode
}

func requireCode(t *testing.T, err error, status int, code string) *apierror.Error {
	t.Helper()
	var typed *apierror.Error
	require.ErrorAs(t, err, &typed)
	require.Equal(t, code, typed.Code, "%v", err)
	require.Equal(t, status, typed.Status, "%v", err)
	return typed
}

func TestBehavesLikeEveryRuntime(t *testing.T) { behavesLikeEveryRuntime(t, nil) }

func behavesLikeEveryRuntime(t *testing.T, change func(*Options)) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Subject {
		r := open(t, change)
		cli := engineClient(t)
		return runtimetest.Subject{
			Runtime: r,
			Spec:    spec,
			BadSpec: func(id string) lifecycle.Spec {
				s := spec(id)
				s.Image = "127.0.0.1:1/nobody/nothing:absent"
				return s
			},
			End: func(ctx context.Context, id string, code int) error {
				made, err := cli.ContainerExecCreate(ctx, "sandbox-"+id, container.ExecOptions{Cmd: []string{"sh", "-c", "echo " + strconv.Itoa(code) + " >/tmp/end"}})
				if err != nil {
					return err
				}
				return cli.ContainerExecStart(ctx, made.ID, container.ExecStartOptions{Detach: true})
			},
			Remove: func(ctx context.Context, id string) error {
				return cli.ContainerRemove(ctx, "sandbox-"+id, container.RemoveOptions{Force: true})
			},
		}
	})
}

// variant makes a new local image from base, changed by Dockerfile lines and by fill, which
// may copy files into the container it is made from. It is removed after the test.
func variant(t *testing.T, cli *client.Client, base string, fill func(containerID string), changes ...string) string {
	t.Helper()
	made, err := cli.ContainerCreate(t.Context(), &container.Config{Image: base, Entrypoint: []string{"/x"}}, nil, nil, nil, "")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, cli.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true}))
	}()
	if fill != nil {
		fill(made.ID)
	}
	name := "opensandbox-test/" + uuid.NewString() + ":v"
	changes = append(changes, "LABEL test="+uuid.NewString()) // an id of its own
	_, err = cli.ContainerCommit(t.Context(), made.ID, container.CommitOptions{Reference: name, Changes: changes})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := cli.ImageRemove(context.Background(), name, dockerimage.RemoveOptions{Force: true})
		require.NoError(t, err)
	})
	return name
}
