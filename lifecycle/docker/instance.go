package docker

import (
	"context"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"

	"github.com/opensandbox-edge/edge/lifecycle"
)

// named reports whether a container's label and name both name the sandbox, which a
// container somebody ran from a mislabelled image fails.
func named(id string, names []string, labels map[string]string) bool {
	name, ok := containerName(id)
	return ok && labels[LabelID] == id && slices.Contains(names, "/"+name)
}

// claims tells by the instance label alone whether an object is this server's to use.
func (r *Runtime) claims(labels map[string]string) bool {
	switch owner := labels[LabelInstance]; r.opts.Adopt {
	case AdoptAll:
		return true
	case AdoptOwn:
		return owner == r.opts.Instance
	default:
		return owner == r.opts.Instance || owner == ""
	}
}

// Inspect implements lifecycle.Runtime: one engine call by the deterministic name, and a
// search by label for a container that is not there, because it may have been renamed.
func (r *Runtime) Inspect(ctx context.Context, id string) (lifecycle.Instance, error) {
	c, err := r.inspect(ctx, id)
	if err != nil {
		return lifecycle.Instance{}, err
	}
	return r.fromInspect(ctx, id, c), nil
}

// inspect finds the container of a sandbox; lifecycle.ErrNotFound when there is none
// this server works with.
func (r *Runtime) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	name, ok := containerName(id)
	if !ok {
		return container.InspectResponse{}, lifecycle.ErrNotFound
	}
	call, cancel := r.call(ctx)
	defer cancel()
	c, err := r.engine.ContainerInspect(call, name)
	switch {
	case errdefs.IsNotFound(err):
		return r.inspectRenamed(ctx, id)
	case err != nil:
		return c, engineError(ctx, err, codeQueryFailed, "looking up the sandbox")
	case c.ContainerJSONBase == nil || c.Config == nil || !named(id, []string{c.Name}, c.Config.Labels):
		return r.inspectRenamed(ctx, id) // somebody else took the name
	case !r.claims(c.Config.Labels):
		return c, lifecycle.ErrNotFound
	}
	return c, nil
}

func (r *Runtime) fromInspect(ctx context.Context, id string, c container.InspectResponse) lifecycle.Instance {
	in := lifecycle.Instance{ID: id, BackendID: c.ID, CreatedAt: engineTime(c.Created)}
	since := in.CreatedAt
	if c.State != nil {
		in.StartedAt, in.FinishedAt = engineTime(c.State.StartedAt), engineTime(c.State.FinishedAt)
		switch {
		case in.FinishedAt.IsZero(): // its first life, of which the creation is the last change
		case c.State.Running && !in.StartedAt.IsZero():
			since = in.StartedAt
		default:
			since = in.FinishedAt
		}
		if c.State.Running {
			in.FinishedAt = time.Time{} // of an earlier life
		}
	}
	in.Status = inspectState(c.State).toStatus(since)
	in.Seed = r.readSeed(id, c.Config.Labels, c.Config.Image, in.CreatedAt)
	in.AccessToken = accessToken(c.Config.Labels)
	if len(in.Seed.Entrypoint) == 0 && len(c.Config.Cmd) <= maxSeedEntrypoint {
		in.Seed.Entrypoint = c.Config.Cmd
	}

	if c.HostConfig == nil || c.NetworkSettings == nil {
		return in
	}
	mode, ports, networks := string(c.HostConfig.NetworkMode), portList(c.NetworkSettings), c.NetworkSettings.Networks
	if other, shared := joined(mode); shared {
		mode, ports, networks = r.sidecarNetwork(ctx, id, other)
	}
	r.place(&in, mode, networks, ports, c.Config.Labels)
	return in
}

// sidecarNetwork looks up the container whose network a sandbox shares. Only its own
// egress sidecar counts; any other container's address is never handed out.
func (r *Runtime) sidecarNetwork(ctx context.Context, id, containerID string) (string, []container.Port, map[string]*network.EndpointSettings) {
	if !digestGrammar.MatchString(containerID) {
		return "", nil, nil
	}
	call, cancel := r.call(ctx)
	defer cancel()
	c, err := r.engine.ContainerInspect(call, containerID)
	if err != nil || c.Config == nil || c.Config.Labels[LabelSidecarFor] != id || c.NetworkSettings == nil || c.HostConfig == nil {
		if err != nil && !errdefs.IsNotFound(err) {
			r.log.Warn("looking up a sandbox's sidecar failed", "sandbox", id, "error", err)
		}
		return "", nil, nil
	}
	return string(c.HostConfig.NetworkMode), portList(c.NetworkSettings), c.NetworkSettings.Networks
}

// readSeed reads labels and logs what was not believed, one line per container.
func (r *Runtime) readSeed(id string, labels map[string]string, image string, created time.Time) lifecycle.Record {
	record, ignored := readSeed(id, labels)
	if len(ignored) > 0 {
		r.log.Warn("ignoring labels of a sandbox", "sandbox", id, "ignored", ignored)
	}
	record.CreatedAt = created
	if labels[LabelInstance] != r.opts.Instance {
		record.Pool = "" // an image's word, or another server's pool: not ours to remove
	}
	if record.Image == "" && record.SnapshotID == "" && len(image) <= maxReferenceBytes {
		record.Image = image
	}
	return record
}

// List implements lifecycle.Runtime: one list call, one more only when a sandbox
// shares a sidecar's network, and one for each renamed container. The list has seconds where Inspect has microseconds, and
// no start and finish times: CreatedAt stands in for StartedAt and Status.Since.
func (r *Runtime) List(ctx context.Context) ([]lifecycle.Instance, error) {
	args := filters.NewArgs(filters.Arg("label", LabelID))
	if r.opts.Adopt == AdoptOwn {
		// The engine cannot filter by the absence of a label, so only this mode is narrowed
		// there; claims decides in every mode.
		args.Add("label", LabelInstance+"="+r.opts.Instance)
	}
	found, err := r.list(ctx, args)
	if err != nil {
		return nil, err
	}
	sidecars, err := r.listSidecars(ctx, found)
	if err != nil {
		return nil, err
	}
	if found, err = r.sandboxes(ctx, found); err != nil {
		return nil, err
	}
	out := make([]lifecycle.Instance, 0, len(found))
	for _, c := range found {
		out = append(out, r.fromSummary(c.Labels[LabelID], c, sidecars))
	}
	return out, nil
}

func (r *Runtime) list(ctx context.Context, args filters.Args) ([]container.Summary, error) {
	call, cancel := r.call(ctx)
	defer cancel()
	found, err := r.engine.ContainerList(call, container.ListOptions{All: true, Filters: args})
	return found, engineError(ctx, err, codeQueryFailed, "listing sandboxes")
}

// listSidecars returns sidecars by container id when any of the sandboxes needs one.
func (r *Runtime) listSidecars(ctx context.Context, sandboxes []container.Summary) (map[string]container.Summary, error) {
	needed := slices.ContainsFunc(sandboxes, func(c container.Summary) bool {
		_, shared := joined(c.HostConfig.NetworkMode)
		return shared
	})
	if !needed {
		return nil, nil
	}
	found, err := r.list(ctx, filters.NewArgs(filters.Arg("label", LabelSidecarFor)))
	if err != nil {
		return nil, err
	}
	byID := make(map[string]container.Summary, len(found))
	for _, c := range found {
		byID[c.ID] = c
	}
	return byID, nil
}

func (r *Runtime) fromSummary(id string, c container.Summary, sidecars map[string]container.Summary) lifecycle.Instance {
	created := time.Unix(c.Created, 0).UTC()
	in := lifecycle.Instance{ID: id, BackendID: c.ID, CreatedAt: created}
	if c.State != container.StateCreated {
		in.StartedAt = created
	}
	in.Status = summaryState(c.State, c.Status).toStatus(created)
	in.Seed = r.readSeed(id, c.Labels, c.Image, created)
	in.AccessToken = accessToken(c.Labels)
	if len(in.Seed.Entrypoint) == 0 {
		in.Seed.Entrypoint = summaryCommand(c.Command)
	}
	where := c
	if other, shared := joined(c.HostConfig.NetworkMode); shared {
		sidecar, known := sidecars[other]
		if !known || sidecar.Labels[LabelSidecarFor] != id {
			return in
		}
		where = sidecar
	}
	var networks map[string]*network.EndpointSettings
	if where.NetworkSettings != nil {
		networks = where.NetworkSettings.Networks
	}
	r.place(&in, where.HostConfig.NetworkMode, networks, where.Ports, c.Labels)
	return in
}

// summaryCommand recovers a foreign sandbox's command from the list's one-line text,
// "<entrypoint> <arguments>", where arguments with spaces are in single quotes.
func summaryCommand(text string) []string {
	words, err := splitWords(text)
	if err != nil || len(words) < 2 || len(words) > maxSeedEntrypoint || words[0] != bootstrapPath {
		return nil
	}
	return words[1:]
}

// portList flattens inspect's port map into the form of the list.
func portList(settings *container.NetworkSettings) []container.Port {
	var out []container.Port
	for port, bindings := range settings.Ports {
		for _, b := range bindings {
			if public, ok := parsePort(b.HostPort); ok {
				out = append(out, container.Port{IP: b.HostIP, PrivatePort: uint16(port.Int()), PublicPort: public, Type: port.Proto()})
			}
		}
	}
	return out
}
