package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/uuid"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/docker/registryauth"
	"github.com/opensandbox-edge/edge/lifecycle/image"
)

// Where the runtime files live in a sandbox (contract 02, constants).
const (
	runtimeDir    = "/opt/opensandbox"
	bootstrapPath = runtimeDir + "/bootstrap.sh"
	writableDir   = runtimeDir + "/run"

	// writableBytes bounds the tmpfs for what execd and bootstrap write.
	writableBytes = 64 << 20
)

const (
	auxiliaryExecd  = "execd"
	auxiliaryVolume = "execd-volume"
	// The underscore keeps the name outside the grammar of claim names, so that no
	// request can mount the volume.
	volumePrefix = "opensandbox_execd."
)

// delivery is how execd and its bootstrap get into a sandbox.
type delivery uint8

const (
	deliverVolume delivery = iota // one shared, read-only volume
	// deliverUpload puts the files into every container with one archive upload; it costs
	// about 100 ms per create and needs no volume.
	deliverUpload
)

var errImageAbsent = errors.New("the image is not on the engine")

// execdSource makes execd and bootstrap available to sandboxes: as a volume named after
// the execd image's digest and filled once, or as an archive for upload.
type execdSource struct {
	runtime *Runtime
	image   image.Reference

	gate  chan struct{} // held while preparing
	ready atomic.Pointer[execdFiles]
}

// execdFiles is a prepared source: exactly one field is set.
type execdFiles struct {
	volume  string
	archive []byte // a tar to extract at runtimeDir
}

// ensure prepares the files unless that is done. Concurrent callers share the work.
func (s *execdSource) ensure(ctx context.Context, policy PullPolicy) error {
	if s.ready.Load() != nil {
		return nil
	}
	select {
	case s.gate <- struct{}{}:
		defer func() { <-s.gate }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.ready.Load() != nil {
		return nil
	}
	files, err := s.prepare(ctx, policy)
	if err != nil {
		return err
	}
	s.ready.Store(files)
	return nil
}

// invalidate makes the next ensure look at the volume again: a sandbox did not find
// its files, or the engine said the volume is gone.
func (s *execdSource) invalidate() { s.ready.Store(nil) }

// mounts are the structured mounts of a sandbox. The volume must exist filled: without
// NoCopy the engine would fill a missing one from the sandbox's own image, which could
// so plant its execd into every later sandbox.
func (s *execdSource) mounts() []mount.Mount {
	mounts := []mount.Mount{{
		Type: mount.TypeTmpfs, Target: writableDir,
		TmpfsOptions: &mount.TmpfsOptions{SizeBytes: writableBytes, Mode: 0o1777},
	}}
	if files := s.ready.Load(); files != nil && files.volume != "" {
		mounts = append([]mount.Mount{{
			Type: mount.TypeVolume, Source: files.volume, Target: runtimeDir, ReadOnly: true,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true},
		}}, mounts...)
	}
	return mounts
}

// prepare reads the files from the execd image through a container that is never
// started, and puts them where sandboxes find them.
func (s *execdSource) prepare(ctx context.Context, policy PullPolicy) (*execdFiles, error) {
	imageID, err := s.resolve(ctx, policy)
	if err != nil {
		return nil, err
	}
	name := volumePrefix + strings.TrimPrefix(imageID, "sha256:")
	way := deliverVolume
	if err := s.createVolume(ctx, name); err != nil {
		if !definite(err) {
			return nil, engineError(ctx, err, codeExecdDistribution, "creating the execd volume")
		}
		s.runtime.log.Warn("the engine refuses the execd volume; uploading execd into every sandbox instead, which is slower", "error", err)
		way = deliverUpload
	}

	aux, remove, err := s.auxiliary(ctx, imageID, name, way)
	if err != nil {
		return nil, err
	}
	defer remove()
	binaries, err := s.read(ctx, aux)
	if err != nil {
		return nil, err
	}
	if way == deliverUpload {
		archive, err := binaries.archive()
		return &execdFiles{archive: archive}, err
	}
	return &execdFiles{volume: name}, s.fill(ctx, aux, binaries)
}

// resolve returns the id of the execd image: everything after works by id, so that a
// tag moved meanwhile cannot mix two images.
func (s *execdSource) resolve(ctx context.Context, policy PullPolicy) (string, error) {
	id, err := s.imageID(ctx)
	if !errdefs.IsNotFound(err) {
		return id, engineError(ctx, err, codeExecdDistribution, "looking for the execd image")
	}
	if policy == PullNever {
		return "", errImageAbsent
	}
	missing := func(cause error) error {
		return apierror.New(http.StatusInternalServerError, codeExecdDistribution,
			"The execd image %s is not on the engine and could not be pulled; build it with `make images`, load or pull it, or correct runtime.execd_image.",
			s.image.Name).Because(cause)
	}
	login, err := registryauth.FromServer(ctx, s.image.Registry)
	if err != nil {
		s.runtime.log.Warn("reading the server's registry logins failed; pulling without", "error", err)
	}
	if err := s.runtime.pulls.pull(ctx, s.image, "", login); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", missing(err)
	}
	if id, err = s.imageID(ctx); errdefs.IsNotFound(err) {
		return "", missing(err)
	}
	return id, engineError(ctx, err, codeExecdDistribution, "looking for the execd image")
}

func (s *execdSource) imageID(ctx context.Context) (string, error) {
	call, cancel := s.runtime.call(ctx)
	defer cancel()
	found, err := s.runtime.engine.ImageInspect(call, s.image.Name)
	if err != nil {
		return "", err
	}
	if id, err := image.Parse(found.ID); err != nil || !id.Local() {
		return "", fmt.Errorf("the engine reports the image id %q", found.ID)
	}
	return found.ID, nil
}

// createVolume makes the volume with our labels; an existing one is left as it is and
// checked by fill.
func (s *execdSource) createVolume(ctx context.Context, name string) error {
	call, cancel := s.runtime.call(ctx)
	defer cancel()
	_, err := s.runtime.engine.VolumeCreate(call, volume.CreateOptions{Name: name, Labels: map[string]string{LabelAuxiliary: auxiliaryVolume}})
	return err
}

// auxiliary creates the container whose only purpose is to reach the files of the
// image and of the volume.
func (s *execdSource) auxiliary(ctx context.Context, imageID, volumeName string, by delivery) (id string, remove func(), err error) {
	host := &container.HostConfig{NetworkMode: "none"}
	if by == deliverVolume {
		host.Mounts = []mount.Mount{{
			Type: mount.TypeVolume, Source: volumeName, Target: runtimeDir,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true},
		}}
	}
	labels := map[string]string{LabelAuxiliary: auxiliaryExecd, LabelInstance: s.runtime.opts.Instance}

	call, cancel := s.runtime.call(context.WithoutCancel(ctx))
	defer cancel()
	created, err := s.runtime.engine.ContainerCreate(call, &container.Config{
		Image: imageID, Entrypoint: []string{"/execd"}, Cmd: []string{}, Labels: labels,
	}, host, nil, nil, "sandbox-execd-"+uuid.NewString())
	if err != nil {
		return "", nil, s.startError(ctx, err)
	}
	return created.ID, func() { s.runtime.discard(ctx, created.ID) }, nil
}

func (s *execdSource) startError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return apierror.New(http.StatusServiceUnavailable, codeExecdStart,
		"The engine could not open the execd image; the server's log has its answer.").Because(err)
}

// definite tells a refusal, which trying again will not change, from trouble.
func definite(err error) bool {
	return errdefs.IsPermissionDenied(err) || errdefs.IsNotImplemented(err) || errdefs.IsInvalidArgument(err)
}
