//go:build docker

package docker

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	dockerimage "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/enginetest"
)

// ownExecd opens a runtime with an execd image, and so a volume, that no other test uses.
func ownExecd(t *testing.T, cli *client.Client, change func(*Options)) *Runtime {
	t.Helper()
	name := variant(t, cli, execdImage(), nil, `ENTRYPOINT ["/execd"]`)
	found, err := cli.ImageInspect(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() {
		err := cli.VolumeRemove(context.Background(), volumePrefix+strings.TrimPrefix(found.ID, "sha256:"), true)
		require.NoError(t, err)
	})
	return open(t, func(o *Options) {
		o.ExecdImage = name
		if change != nil {
			change(o)
		}
	})
}

func TestLostVolumeIsFilledAgain(t *testing.T) {
	cli := engineClient(t)
	r := ownExecd(t, cli, nil)
	name := r.execd.ready.Load().volume
	require.True(t, strings.HasPrefix(name, volumePrefix))

	for what, breakIt := range map[string]func(){
		"removed": func() { require.NoError(t, cli.VolumeRemove(t.Context(), name, false)) },
		"emptied": func() {
			require.NoError(t, cli.VolumeRemove(t.Context(), name, false))
			require.NoError(t, r.execd.createVolume(t.Context(), name))
		},
	} {
		t.Run(what, func(t *testing.T) {
			breakIt()
			id := uuid.NewString()
			instance, err := r.Create(t.Context(), spec(id))
			require.NoError(t, err)
			require.Equal(t, lifecycle.Running, instance.Status.State)
			require.NoError(t, r.Delete(t.Context(), id))
		})
	}
}

func TestVolumeEventPreparesTheNextCreate(t *testing.T) {
	cli := engineClient(t)
	proxy := enginetest.Start(t)
	r := ownExecd(t, cli, func(o *Options) { o.Host = proxy.Host() })
	ctx, cancel := context.WithCancel(t.Context())
	connected := make(chan struct{}, 16)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		_ = r.Watch(ctx, func(e lifecycle.Event) {
			if e.Type == lifecycle.EventConnected {
				connected <- struct{}{}
			}
		})
	}()
	defer func() { cancel(); <-watched }()
	<-connected
	require.NoError(t, cli.VolumeRemove(t.Context(), r.execd.ready.Load().volume, false))
	require.Eventually(t, func() bool { return r.execd.ready.Load() == nil }, waitFor, tick)
	id := uuid.NewString()
	_, err := r.Create(t.Context(), spec(id))
	require.NoError(t, err)
	require.Len(t, proxy.Requests(enginetest.StartContainer), 1, "no start failed")
	require.NoError(t, r.Delete(t.Context(), id))
}

func TestImageCannotPlantItsExecd(t *testing.T) {
	cli := engineClient(t)
	r := ownExecd(t, cli, nil)
	evil := binaries{execd: binary{content: []byte("evil")}, bootstrap: binary{content: []byte("evil")}}
	archive, err := evil.archive()
	require.NoError(t, err)
	rooted, err := rootArchive(archive)
	require.NoError(t, err)
	s := spec(uuid.NewString())
	s.Image = variant(t, cli, demoImage(), func(id string) {
		require.NoError(t, cli.CopyToContainer(t.Context(), id, "/", bytes.NewReader(rooted), container.CopyToContainerOptions{}))
	})
	require.NoError(t, cli.VolumeRemove(t.Context(), r.execd.ready.Load().volume, false))
	_, err = r.Create(t.Context(), s)
	require.NoError(t, err)
	out, code := run(t, cli, s.ID, "sh", "-c", "wc -c </opt/opensandbox/execd; wc -c </opt/opensandbox/bootstrap.sh")
	require.Zero(t, code)
	for _, size := range strings.Fields(out) {
		require.NotEqual(t, "4", size, "the image's own file is run")
	}
	require.NoError(t, r.Delete(t.Context(), s.ID))
}

func TestHalfFilledVolumeIsRepairedAtStart(t *testing.T) {
	cli := engineClient(t)
	r := ownExecd(t, cli, nil)
	name := r.execd.ready.Load().volume
	id, remove, err := r.execd.auxiliary(t.Context(), r.opts.ExecdImage, name, deliverVolume)
	require.NoError(t, err)
	half := testBinaries("x")
	archive, err := half.archive()
	require.NoError(t, err)
	require.NoError(t, r.upload(t.Context(), id, runtimeDir, archive))
	remove()

	again := open(t, func(o *Options) { o.ExecdImage = r.opts.ExecdImage })
	require.NotNil(t, again.execd.ready.Load())
	sandbox := uuid.NewString()
	_, err = again.Create(t.Context(), spec(sandbox))
	require.NoError(t, err)
	out, _ := run(t, cli, sandbox, "sh", "-c", "wc -c </opt/opensandbox/execd")
	require.NotEqual(t, "5", strings.TrimSpace(out))
	require.NoError(t, again.Delete(t.Context(), sandbox))
}

func TestRefusedVolumeFallsBackToUpload(t *testing.T) {
	proxy := enginetest.Start(t)
	proxy.Fault(enginetest.Fault{
		Match: enginetest.On(http.MethodPost, "/volumes/create"), Do: enginetest.Answer, Status: http.StatusForbidden, Body: `{"message":"authorization denied by plugin"}`,
	})
	r := open(t, func(o *Options) { o.Host = proxy.Host() })
	s := spec(uuid.NewString())
	proxy.Reset()
	instance, err := r.Create(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, lifecycle.Running, instance.Status.State)
	require.Len(t, proxy.Requests(), 4)
	out, code := run(t, engineClient(t), s.ID, "sh", "-c", "test -x /opt/opensandbox/execd && echo A=1 >/opt/opensandbox/.env && cat /opt/opensandbox/run/.env")
	require.Zero(t, code, out)
}

func TestMissingExecdImage(t *testing.T) {
	r := open(t, func(o *Options) { o.ExecdImage = absent() })
	_, err := r.List(t.Context())
	require.NoError(t, err, "existing sandboxes are served all the same")
	_, err = r.Create(t.Context(), spec(uuid.NewString()))
	typed := requireCode(t, err, http.StatusInternalServerError, "DOCKER::SANDBOX_EXECD_DISTRIBUTION_FAILED")
	require.Contains(t, typed.Message, "make images")
}

func TestImageWithoutExecd(t *testing.T) {
	r := open(t, func(o *Options) { o.ExecdImage = demoImage() })
	t.Cleanup(func() { removeVolumeOf(t, demoImage()) })
	_, err := r.Create(t.Context(), spec(uuid.NewString()))
	typed := requireCode(t, err, http.StatusInternalServerError, "DOCKER::SANDBOX_EXECD_DISTRIBUTION_FAILED")
	require.Contains(t, typed.Message, "/execd")
}

func removeVolumeOf(t *testing.T, imageName string) {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	defer cli.Close()
	found, err := cli.ImageInspect(context.Background(), imageName)
	require.NoError(t, err)
	require.NoError(t, cli.VolumeRemove(context.Background(), volumePrefix+strings.TrimPrefix(found.ID, "sha256:"), true))
}

func TestAuxiliariesAreSwept(t *testing.T) {
	cli := engineClient(t)
	r := open(t, nil)
	id, _, err := r.execd.auxiliary(t.Context(), execdImage(), r.execd.ready.Load().volume, deliverVolume)
	require.NoError(t, err)
	r.sweepAuxiliaries(t.Context(), auxiliaryAge)
	_, err = cli.ContainerInspect(t.Context(), id)
	require.NoError(t, err, "a young one may be in use")
	r.sweepAuxiliaries(t.Context(), 0)
	_, err = cli.ContainerInspect(t.Context(), id)
	require.ErrorContains(t, err, "No such container")
}

// importImage makes an image of one tar.
func importImage(t *testing.T, cli *client.Client, tar io.Reader) string {
	t.Helper()
	name := "opensandbox-test/" + uuid.NewString() + ":v"
	answer, err := cli.ImageImport(t.Context(), dockerimage.ImportSource{Source: tar, SourceName: "-"}, name, dockerimage.ImportOptions{})
	require.NoError(t, err)
	require.NoError(t, readProgress(answer))
	require.NoError(t, answer.Close())
	t.Cleanup(func() {
		_, err := cli.ImageRemove(context.Background(), name, dockerimage.RemoveOptions{Force: true})
		require.NoError(t, err)
	})
	return name
}
