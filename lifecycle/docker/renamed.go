package docker

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// A container keeps its labels when somebody renames it, and must not get out of its
// timeout by that (contract 02 §21.9). Under another name the label alone speaks for it,
// and labels are inherited from images: one committed from a sandbox carries its id. So
// a renamed container counts only when its image does not bring the label along.

// inspectRenamed looks a sandbox up by its label.
func (r *Runtime) inspectRenamed(ctx context.Context, id string) (container.InspectResponse, error) {
	found, err := r.list(ctx, filters.NewArgs(filters.Arg("label", LabelID+"="+id)))
	if err != nil {
		return container.InspectResponse{}, err
	}
	if found, err = r.sandboxes(ctx, found); err != nil || len(found) == 0 {
		return container.InspectResponse{}, cmp.Or(err, error(lifecycle.ErrNotFound))
	}
	call, cancel := r.call(ctx)
	defer cancel()
	c, err := r.engine.ContainerInspect(call, found[0].ID)
	switch {
	case errdefs.IsNotFound(err):
		return c, lifecycle.ErrNotFound
	case err != nil:
		return c, engineError(ctx, err, codeQueryFailed, "looking up the sandbox")
	case c.ContainerJSONBase == nil || c.Config == nil || c.Config.Labels[LabelID] != id:
		return c, lifecycle.ErrNotFound
	}
	return c, nil
}

// sandboxes are those of the listed containers that this server works with, one for
// each id: the one with the deterministic name, else the oldest renamed one.
func (r *Runtime) sandboxes(ctx context.Context, found []container.Summary) ([]container.Summary, error) {
	out := make([]container.Summary, 0, len(found))
	taken := make(map[string]bool, len(found))
	var renamed []container.Summary
	for _, c := range found {
		id := c.Labels[LabelID]
		switch _, ok := containerName(id); {
		case !ok || !r.claims(c.Labels):
		case named(id, c.Names, c.Labels):
			out, taken[id] = append(out, c), true
		default:
			renamed = append(renamed, c)
		}
	}
	slices.SortFunc(renamed, func(a, b container.Summary) int {
		return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range renamed {
		id := c.Labels[LabelID]
		if taken[id] {
			continue
		}
		own, err := r.labelledItself(ctx, id, c.ImageID)
		if err != nil {
			return nil, err
		}
		if own {
			out, taken[id] = append(out, c), true
		}
	}
	return out, nil
}

// labelledItself tells whether a container got its id from whoever made it, and not from
// its image. When the image is gone that cannot be told, and the container is left alone.
func (r *Runtime) labelledItself(ctx context.Context, id, imageID string) (bool, error) {
	if digest, ok := strings.CutPrefix(imageID, "sha256:"); !ok || !digestGrammar.MatchString(digest) {
		return false, nil // the text becomes part of an engine path
	}
	call, cancel := r.call(ctx)
	defer cancel()
	image, err := r.engine.ImageInspect(call, imageID)
	switch {
	case errdefs.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, engineError(ctx, err, codeQueryFailed, "looking up the sandbox's image")
	}
	return image.Config == nil || image.Config.Labels[LabelID] != id, nil
}
