package docker

import (
	"context"
	"errors"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// Delete implements lifecycle.Runtime: container with its anonymous volumes, sidecars,
// managed volumes. It is idempotent and safe to run at the same time twice; every
// part is tried even when another failed.
func (r *Runtime) Delete(ctx context.Context, id string) error {
	if _, ok := containerName(id); !ok {
		return nil
	}
	c, err := r.inspect(ctx, id)
	switch {
	case errors.Is(err, lifecycle.ErrNotFound):
		// Leftovers are still looked for: the container may have been removed by hand.
		return r.deleteError(ctx, errors.Join(r.removeSidecar(ctx, id), r.volumes.giveBack(ctx, id, false, nil)))
	case err != nil:
		return err
	}
	r.thawForKill(ctx, c)
	// Volumes last: they are in use until the containers are gone.
	err = errors.Join(r.remove(ctx, c.ID), r.removeSidecar(ctx, id))
	err = errors.Join(err, r.volumes.giveBack(ctx, id, true, managedVolumes(c.Config.Labels)))
	return r.deleteError(ctx, err)
}

// thawForKill lets a paused container of a secure runtime go on, so that it can be killed.
// runc freezes processes and kills them where they stand; gVisor stops delivering signals,
// and the engine gives up after ten seconds.
func (r *Runtime) thawForKill(ctx context.Context, c container.InspectResponse) {
	if c.State == nil || !c.State.Paused || c.HostConfig == nil || c.HostConfig.Runtime == "" || c.HostConfig.Runtime == "runc" {
		return
	}
	call, cancel := r.call(context.WithoutCancel(ctx))
	defer cancel()
	if err := r.engine.ContainerUnpause(call, c.ID); err != nil {
		r.log.Info("a paused sandbox could not be resumed for its removal", "container", c.ID, "error", err)
	}
}

func (r *Runtime) deleteError(ctx context.Context, err error) error {
	return engineError(ctx, err, codeDeleteFailed, "removing the sandbox")
}

// remove kills and removes one container by its engine id: by name it could be a
// successor by now.
func (r *Runtime) remove(ctx context.Context, containerID string) error {
	call, cancel := r.call(context.WithoutCancel(ctx))
	defer cancel()
	err := r.engine.ContainerRemove(call, containerID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case err == nil, errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress"):
		// Somebody else removes it. Success means gone, so wait for that.
		return r.waitRemoved(call, containerID)
	}
	return err
}

func (r *Runtime) waitRemoved(ctx context.Context, containerID string) error {
	results, failures := r.engine.ContainerWait(ctx, containerID, container.WaitConditionRemoved)
	select {
	case <-results:
		return nil
	case err := <-failures:
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// removeSidecar removes the egress sidecar of a sandbox. It is found by its
// deterministic name: a search by label costs seconds on a busy host.
func (r *Runtime) removeSidecar(ctx context.Context, id string) error {
	call, cancel := r.call(ctx)
	defer cancel()
	c, err := r.engine.ContainerInspect(call, "sandbox-egress-"+id)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case c.ContainerJSONBase == nil || c.Config == nil || c.Config.Labels[LabelSidecarFor] != id:
		return nil // somebody else's container of that name
	case !r.claims(c.Config.Labels):
		return nil
	}
	return r.remove(ctx, c.ID)
}
