package docker

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	dockerimage "github.com/docker/docker/api/types/image"

	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/image"
	"github.com/opensandbox-edge/edge/lifecycle/snapshots"
)

var _ snapshots.Snapshotter = (*Runtime)(nil)

// snapshotRepository is where snapshots are kept; the tag is the snapshot's id.
const snapshotRepository = "opensandbox-snapshots"

const (
	codeSnapshotFailed = "DOCKER::SNAPSHOT_FAILED"
	codeSnapshotRemove = "DOCKER::SNAPSHOT_IMAGE_REMOVE_FAILED"
)

// snapshotImage is the name of a snapshot's image; ok is false for what is no canonical
// UUID, such as a row that somebody wrote into the store.
func snapshotImage(id string) (name string, ok bool) {
	_, ok = containerName(id)
	return snapshotRepository + ":" + id, ok
}

// ofSnapshot tells the images of snapshots from others. Whoever could name one could have
// it in a state, and from a client, that the catalogue would refuse.
func ofSnapshot(ref image.Reference) bool {
	repository, _, _ := strings.Cut(ref.Name, "@")
	repository, _, _ = strings.Cut(repository, ":")
	return ref.Registry == "docker.io" && repository == snapshotRepository
}

// TakeSnapshot implements snapshots.Snapshotter. The engine freezes the container while it
// copies; one that is paused stays so.
func (r *Runtime) TakeSnapshot(ctx context.Context, sandboxID, snapshotID string) (string, error) {
	name, ok := snapshotImage(snapshotID)
	if !ok {
		return "", lifecycle.ErrNotFound
	}
	c, err := r.inspect(ctx, sandboxID)
	if err != nil {
		return "", err
	}
	call, cancel := r.call(ctx)
	defer cancel()
	var origin dockerimage.InspectResponse
	if origin, err = r.engine.ImageInspect(call, c.Image); err != nil && !errdefs.IsNotFound(err) {
		return "", engineError(ctx, err, codeSnapshotFailed, "looking up the image of the sandbox")
	}
	var env []string
	var labels map[string]string
	if origin.Config != nil {
		env, labels = origin.Config.Env, origin.Config.Labels
	}
	_, err = r.engine.ContainerCommit(call, c.ID, container.CommitOptions{
		Reference: name, Pause: true,
		Config: cleanConfig(c.Config, env, labels, r.opts.Instance),
	})
	if err != nil {
		return "", engineError(ctx, err, codeSnapshotFailed, "taking a snapshot")
	}
	return r.FindSnapshot(ctx, snapshotID)
}

// cleanConfig is what the engine lays over the settings of a container that it commits.
// It keeps every variable and label that is not overlaid, so each that the image of the
// container does not have in the same way is set to the image's value, or blank. The
// command and the entrypoint may hold secrets as well.
func cleanConfig(c *container.Config, env []string, labels map[string]string, instance string) *container.Config {
	clean := &container.Config{
		Entrypoint: []string{}, Cmd: []string{"tail", "-f", "/dev/null"},
		Labels: make(map[string]string, len(c.Labels)+len(systemLabels)),
	}
	original := make(map[string]string, len(env))
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		original[name] = value
	}
	for _, entry := range c.Env {
		name, _, _ := strings.Cut(entry, "=")
		value := original[name]
		if hasAnyPrefix(name, reservedEnv) {
			value = ""
		}
		clean.Env = append(clean.Env, name+"="+value)
	}
	for key := range c.Labels {
		clean.Labels[key] = labels[key]
	}
	for _, key := range systemLabels {
		clean.Labels[key] = ""
	}
	clean.Labels[LabelInstance] = instance
	return clean
}

// snapshotMissing is the client's view of a create that did not find its snapshot's image,
// which was there when the request was checked, or is of another platform.
func snapshotMissing(p plan, err error) error {
	if classifyPull(err) == reasonPlatform {
		return pullError(reasonPlatform, p.image, err)
	}
	return snapshots.NotFound(p.spec.SnapshotID).Because(err)
}

// FindSnapshot implements snapshots.Snapshotter.
func (r *Runtime) FindSnapshot(ctx context.Context, snapshotID string) (string, error) {
	name, ok := snapshotImage(snapshotID)
	if !ok {
		return "", nil
	}
	call, cancel := r.call(ctx)
	defer cancel()
	_, err := r.engine.ImageInspect(call, name)
	switch {
	case errdefs.IsNotFound(err):
		return "", nil
	case err != nil:
		return "", engineError(ctx, err, codeSnapshotFailed, "looking for a snapshot")
	}
	return name, nil
}

// RemoveSnapshot implements snapshots.Snapshotter. Without force the engine refuses to take
// an image away from a container, running or not.
func (r *Runtime) RemoveSnapshot(ctx context.Context, snapshotID string) error {
	name, ok := snapshotImage(snapshotID)
	if !ok {
		return nil
	}
	call, cancel := r.call(ctx)
	defer cancel()
	_, err := r.engine.ImageRemove(call, name, dockerimage.RemoveOptions{PruneChildren: true})
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err):
		return snapshots.ErrInUse
	}
	return engineError(ctx, err, codeSnapshotRemove, "removing a snapshot")
}

// ListSnapshots implements snapshots.Snapshotter: one engine call.
func (r *Runtime) ListSnapshots(ctx context.Context) ([]string, error) {
	call, cancel := r.call(ctx)
	defer cancel()
	images, err := r.engine.ImageList(call, dockerimage.ListOptions{Filters: filters.NewArgs(
		filters.Arg("reference", snapshotRepository), filters.Arg("label", LabelInstance+"="+r.opts.Instance))})
	if err != nil {
		return nil, engineError(ctx, err, codeSnapshotFailed, "listing snapshots")
	}
	ids := map[string]struct{}{}
	for _, i := range images {
		for _, tag := range i.RepoTags {
			if id, found := strings.CutPrefix(tag, snapshotRepository+":"); found {
				ids[id] = struct{}{}
			}
		}
	}
	return slices.Sorted(maps.Keys(ids)), nil
}
