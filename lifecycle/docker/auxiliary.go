package docker

import (
	"context"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// auxiliaryAge is how old an auxiliary container must be before a starting server takes
// it for a leftover: younger ones may belong to another server that is starting too.
const auxiliaryAge = 5 * time.Minute

// sweepAuxiliaries removes helper containers a crash of this instance left behind. It
// is best effort: they cost nothing but a name.
func (r *Runtime) sweepAuxiliaries(ctx context.Context, olderThan time.Duration) {
	found, err := r.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(
		filters.Arg("label", LabelAuxiliary+"="+auxiliaryExecd),
		filters.Arg("label", LabelInstance+"="+r.opts.Instance),
	)})
	if err != nil {
		r.log.Warn("looking for leftover helper containers failed", "error", err)
		return
	}
	for _, c := range found {
		if time.Since(time.Unix(c.Created, 0)) >= olderThan {
			r.discard(ctx, c.ID)
		}
	}
}

// discard removes a container of our own by its engine id, also after ctx has ended.
func (r *Runtime) discard(ctx context.Context, containerID string) {
	call, cancel := r.call(context.WithoutCancel(ctx))
	defer cancel()
	err := r.engine.ContainerRemove(call, containerID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !errdefs.IsNotFound(err) {
		r.log.Warn("removing a helper container failed", "container", containerID, "error", err)
	}
}
