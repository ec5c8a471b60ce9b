package docker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/image"
)

// plan is a create whose every input has been checked; no engine call was made yet.
type plan struct {
	spec     lifecycle.Spec
	name     string
	image    image.Reference
	env      []string
	argv     []string
	platform *ocispec.Platform
	volumes  *prepared
}

// Create implements lifecycle.Runtime. On the usual path it makes three engine calls:
// create, start, inspect (contract 02 §20). Nothing is asked beforehand: a missing image
// shows as a 404 of create, a lost execd volume as a failed start.
func (r *Runtime) Create(ctx context.Context, spec lifecycle.Spec) (lifecycle.Instance, error) {
	p, err := r.plan(spec)
	if err != nil {
		return lifecycle.Instance{}, err
	}
	if err := r.execd.ensure(ctx, PullMissing); err != nil {
		return lifecycle.Instance{}, err
	}
	if err := r.findReach(ctx); err != nil {
		return lifecycle.Instance{}, err
	}
	if err := r.admitImage(ctx, p); err != nil {
		return lifecycle.Instance{}, err
	}
	if p.volumes, err = r.volumes.prepare(ctx, spec.ID, spec.Volumes); err != nil {
		return lifecycle.Instance{}, err
	}
	defer p.volumes.done()
	if err := r.launch(ctx, p); err != nil {
		return lifecycle.Instance{}, err
	}
	if err := p.volumes.verified(); err != nil {
		return lifecycle.Instance{}, err
	}
	instance, err := r.Inspect(ctx, spec.ID)
	if errors.Is(err, lifecycle.ErrNotFound) {
		return instance, apierror.New(http.StatusInternalServerError, codeStartFailed, "The sandbox was removed while it was being started.").Because(err)
	}
	return instance, err
}

// plan checks and normalises a spec.
func (r *Runtime) plan(spec lifecycle.Spec) (plan, error) {
	p := plan{spec: spec}
	var ok bool
	var err error
	if p.name, ok = containerName(spec.ID); !ok {
		return p, fmt.Errorf("sandbox id %q is not a canonical UUID", spec.ID)
	}
	if spec.Platform != nil {
		if spec.Platform.OS != "linux" || !knownPlatform(spec.Platform.OS, spec.Platform.Arch) {
			return p, invalidParameter("platform: this server runs linux/amd64 and linux/arm64 sandboxes, not %s/%s.",
				apierror.Clip(spec.Platform.OS), apierror.Clip(spec.Platform.Arch))
		}
		p.platform = &ocispec.Platform{OS: spec.Platform.OS, Architecture: spec.Platform.Arch}
	}
	if p.image, err = image.Parse(spec.Image); err != nil {
		return p, invalidParameter("image.uri is not a valid image reference.").Because(err)
	}
	// The service has its policy; what no policy may allow is refused here as well,
	// because this is where the engine is made to connect.
	if err := (image.Policy{}).Check(p.image); err != nil {
		return p, invalidParameter("image.uri: %v (%s).", err, apierror.Clip(p.image.Name)).Because(err)
	}
	if spec.SnapshotID == "" && ofSnapshot(p.image) {
		return p, invalidParameter("image.uri: the image of a snapshot is used by way of snapshotId.")
	}
	if p.argv, err = command(spec.Entrypoint); err != nil {
		return p, err
	}
	if p.env, err = environment(spec); err != nil {
		return p, err
	}
	for key, value := range spec.Metadata {
		if strings.ContainsRune(key, 0) || strings.ContainsRune(value, 0) {
			return p, invalidParameter("metadata: an entry contains NUL.")
		}
	}
	return p, nil
}

// launch creates and starts the container. With published ports it may take more than
// one try: somebody else can take a port between its choice and the engine's bind.
func (r *Runtime) launch(ctx context.Context, p plan) error {
	for attempt := 1; ; attempt++ {
		ports, err := r.choosePorts(r.viaPublished())
		if err != nil {
			return err
		}
		id, err := r.create(ctx, p, ports)
		if err == nil {
			ports.release()
			err = r.start(ctx, id)
		}
		ports.release()
		if err == nil {
			return nil
		}
		if !ports.taken(err) || attempt == portAttempts {
			return r.startError(ctx, err)
		}
		if id != "" {
			r.discard(ctx, id)
		}
	}
}

// create makes the container, pulling the image first if it is missing.
func (r *Runtime) create(ctx context.Context, p plan, ports *hostPorts) (string, error) {
	id, err := r.createOnce(ctx, p, ports)
	if !errdefs.IsNotFound(err) || !imageMissing(err) {
		return id, err
	}
	if p.spec.SnapshotID != "" {
		return "", snapshotMissing(p, err)
	}
	if err := r.pullMissing(ctx, p); err != nil {
		return "", err
	}
	id, err = r.createOnce(ctx, p, ports)
	if errdefs.IsNotFound(err) && imageMissing(err) {
		// Pulled, and yet not found: removed at once, or for another platform.
		return "", pullError(reasonNotFound, p.image, err)
	}
	return id, err
}

// imageMissing tells the engine's two kinds of 404 on create apart. The phrases of a
// missing image are looked for first: its name may contain "network".
func imageMissing(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "no such image") || strings.Contains(text, "image with reference") || !strings.Contains(text, "network")
}

// createOnce is one call. It outlives a caller that goes away: the engine carries the
// create out anyway, and only who knows the outcome can clean up after it.
func (r *Runtime) createOnce(ctx context.Context, p plan, ports *hostPorts) (string, error) {
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	labelled := p.spec
	labelled.Entrypoint = p.argv // what runs is what later reads show (contract 01 §6.4)
	labels, err := labelsFor(labelled, r.opts.Instance, time.Now())
	if err != nil {
		return "", err
	}
	if err := p.volumes.label(labels); err != nil {
		return "", err
	}
	host := r.hostConfig(p.spec.Limits, append(r.execd.mounts(), p.volumes.mounts...))
	config := &container.Config{
		Image: p.image.Name, Entrypoint: []string{bootstrapPath}, Cmd: p.argv, Env: p.env, Labels: labels,
		AttachStdout: true, AttachStderr: true,
	}
	ports.apply(config, host)

	call, cancel := r.call(context.WithoutCancel(ctx))
	defer cancel()
	created, err := r.engine.ContainerCreate(call, config, host, nil, p.platform, p.name)
	if unseen := unseenMount(err); unseen != nil {
		return "", unseen
	}
	if err != nil {
		return "", refusedSettings(err)
	}
	if len(created.Warnings) > 0 {
		r.log.Warn("the engine warns about a sandbox", "sandbox", p.spec.ID, "warnings", created.Warnings)
	}
	if files := r.execd.ready.Load(); files != nil && files.archive != nil {
		if err := r.uploadExecd(ctx, created.ID, files.archive); err != nil {
			return created.ID, engineError(ctx, err, codeExecdDistribution, "copying execd into the sandbox")
		}
	}
	return created.ID, nil
}

// refusedSettings makes the engine's 400 ours: what reaches it beyond the operator's
// checked options comes from the request.
func refusedSettings(err error) error {
	if refusal := limitRefusal(err); refusal != nil {
		return refusal
	}
	if refusal := operatorRefusal(err); refusal != nil {
		return refusal
	}
	if errdefs.IsInvalidArgument(err) && strings.Contains(strings.ToLower(err.Error()), "invalid reference format") {
		return invalidParameter("image.uri is not a reference that the container engine accepts.").Because(err)
	}
	if errdefs.IsInvalidArgument(err) {
		return invalidParameter("The container engine refused the sandbox's settings; the server's log has its answer.").Because(err)
	}
	return err
}

// start starts the container. When it does not find its runtime files, somebody removed
// or emptied the shared volume: it is filled again, once.
func (r *Runtime) start(ctx context.Context, containerID string) error {
	err := r.startOnce(ctx, containerID)
	if err == nil || !strings.Contains(err.Error(), runtimeDir) {
		return err
	}
	r.log.Warn("a sandbox did not find execd; checking the shared volume and trying once more", "error", err)
	r.execd.invalidate()
	if err := r.execd.ensure(ctx, PullMissing); err != nil {
		return err
	}
	return r.startOnce(ctx, containerID)
}

func (r *Runtime) startOnce(ctx context.Context, containerID string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	call, cancel := r.call(context.WithoutCancel(ctx))
	defer cancel()
	return r.engine.ContainerStart(call, containerID, container.StartOptions{})
}

// startError is the client's view of a failed create or start.
func (r *Runtime) startError(ctx context.Context, err error) error {
	var typed *apierror.Error
	if errors.As(err, &typed) {
		return err // it says what is wrong; its cause may quote names that look like a reason
	}
	if refusal := limitRefusal(err); refusal != nil {
		return refusal
	}
	if refusal := operatorRefusal(err); refusal != nil {
		return refusal
	}
	text := strings.ToLower(err.Error())
	if errdefs.IsNotFound(err) && strings.Contains(text, "network") {
		return invalidParameter("The network %q (docker.network_mode) does not exist on the engine; the operator has to create it.", r.opts.NetworkMode).Because(err)
	}
	if strings.Contains(text, "specify container image platform") {
		return invalidParameter("platform: this container engine is too old to choose one.").Because(err)
	}
	return engineError(ctx, err, codeStartFailed, "starting the sandbox")
}
