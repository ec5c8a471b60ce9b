package namedvolume

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	dockervolume "github.com/docker/docker/api/types/volume"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/internal/wire"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

// Labels of a volume.
const (
	// LabelManagedBy is ManagedByServer on every volume that a server made (contract 02 §2).
	LabelManagedBy  = wire.LabelPrefix + "volume-managed-by"
	ManagedByServer = "server"
	// LabelInstance names the server that made it. The reference writes none.
	LabelInstance = wire.LabelPrefix + "instance"
	// LabelDelete is deleteLast on a volume that goes with its last sandbox.
	LabelDelete = wire.LabelPrefix + "volume-delete"

	deleteLast = "with-last-sandbox"
)

// Codes of contract 01 §16.
const (
	codeInspect  = "VOLUME::PVC_INSPECT_FAILED"
	codeNotFound = "VOLUME::PVC_NOT_FOUND"
)

// Engine is the part of the engine's client that is needed.
type Engine interface {
	VolumeInspect(ctx context.Context, name string) (dockervolume.Volume, error)
	VolumeCreate(ctx context.Context, o dockervolume.CreateOptions) (dockervolume.Volume, error)
	VolumeRemove(ctx context.Context, name string, force bool) error
	VolumeList(ctx context.Context, o dockervolume.ListOptions) (dockervolume.ListResponse, error)
}

// Book knows the volumes of one server. It is safe for concurrent use.
type Book struct {
	Engine   Engine
	Instance string
	Policy   volume.Policy
	Log      *slog.Logger
	// Claimed lists the volumes that sandboxes on the engine name as theirs. The engine knows
	// who mounts a volume as a whole, and not who mounts a folder of it.
	Claimed func(context.Context) (map[string]bool, error)

	mu    sync.Mutex
	names map[string]*state
}

// state is what is under way with a name.
type state struct {
	users    int           // creates that will mount it
	removing chan struct{} // closed when a removal is over; nil = none
}

// Named is a volume that exists.
type Named struct {
	Name       string
	Driver     string
	Mountpoint string // on the engine's host
	Options    bool   // its content is somewhere else
	// Owned volumes go with their last sandbox; the sandbox's label has to name them.
	Owned bool
}

// Use gives the volume of a claim, made if that is wanted. It is not removed before done is
// called, which the caller does when a container mounts it, or none will.
func (b *Book) Use(ctx context.Context, v volume.Volume) (n Named, done func(), err error) {
	name := v.Claim.Name
	if err := b.enter(ctx, name); err != nil {
		return Named{}, nil, err
	}
	if n, err = b.find(ctx, v); err != nil {
		b.leave(name)
		return Named{}, nil, err
	}
	return n, sync.OnceFunc(func() { b.leave(name) }), nil
}

func (b *Book) find(ctx context.Context, v volume.Volume) (Named, error) {
	c := v.Claim
	found, err := b.Engine.VolumeInspect(ctx, c.Name)
	switch {
	case errdefs.IsNotFound(err) && !c.Create:
		return Named{}, apierror.New(http.StatusBadRequest, codeNotFound, "volume %q: there is no volume %q; make it, or leave pvc.createIfNotExists on.", v.Name, c.Name)
	case errdefs.IsNotFound(err):
		if found, err = b.create(ctx, c); err != nil {
			return Named{}, inspectError(ctx, v, err)
		}
	case err != nil:
		return Named{}, inspectError(ctx, v, err)
	}
	if found.Name != c.Name {
		return Named{}, inspectError(ctx, v, errors.New("the engine answered with another volume"))
	}
	if err := b.Policy.CheckExisting(v, b.ours(found.Labels)); err != nil {
		return Named{}, err
	}
	return Named{
		Name: found.Name, Driver: found.Driver, Mountpoint: found.Mountpoint,
		Options: len(found.Options) > 0, Owned: b.owned(found.Labels),
	}, nil
}

// create makes a volume and reads it back: another request, or somebody else, may have been
// quicker, and the engine says nothing of that.
func (b *Book) create(ctx context.Context, c *volume.Claim) (dockervolume.Volume, error) {
	labels := map[string]string{LabelManagedBy: ManagedByServer, LabelInstance: b.Instance}
	if c.DeleteWithSandbox {
		labels[LabelDelete] = deleteLast
	}
	// Carried out anyway once it is sent; only who knows of it can remove it again.
	ctx = context.WithoutCancel(ctx)
	if _, err := b.Engine.VolumeCreate(ctx, dockervolume.CreateOptions{Name: c.Name, Labels: labels}); err != nil {
		return dockervolume.Volume{}, err
	}
	return b.Engine.VolumeInspect(ctx, c.Name)
}

// ours tells a volume that this server made, or the reference.
func (b *Book) ours(labels map[string]string) bool {
	return labels[LabelManagedBy] == ManagedByServer && (labels[LabelInstance] == b.Instance || labels[LabelInstance] == "")
}

// owned tells a volume of this server that goes with its last sandbox.
func (b *Book) owned(labels map[string]string) bool {
	return b.ours(labels) && labels[LabelInstance] == b.Instance && labels[LabelDelete] == deleteLast
}

// removable tells a volume that a sandbox's label may have removed. The reference has no
// mark on the volume: there the sandbox's label is all.
func (b *Book) removable(labels map[string]string) bool {
	return b.owned(labels) || b.ours(labels) && labels[LabelInstance] == ""
}

// Remove removes the volumes that a sandbox, which is gone, named as its own. One that
// another sandbox uses is left for that one's end.
func (b *Book) Remove(ctx context.Context, names []string) error {
	var failed error
	for _, name := range names {
		failed = errors.Join(failed, b.remove(ctx, name))
	}
	return failed
}

// Sweep removes the volumes that were to go with their last sandbox and have none: of
// creates that failed or were cut off, and of sandboxes somebody else removed.
func (b *Book) Sweep(ctx context.Context) error {
	list, err := b.Engine.VolumeList(ctx, dockervolume.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", LabelDelete+"="+deleteLast), filters.Arg("label", LabelInstance+"="+b.Instance), filters.Arg("dangling", "true"),
	)})
	if err != nil {
		return err
	}
	names := make([]string, 0, len(list.Volumes))
	for _, v := range list.Volumes {
		if v != nil {
			names = append(names, v.Name)
		}
	}
	return b.Remove(ctx, names)
}

func (b *Book) remove(ctx context.Context, name string) error {
	if !b.begin(name) {
		return nil // a create is about to mount it
	}
	defer b.end(name)
	// Asked for each name, and only now that no create can begin to use it: the removal of
	// the one before may have taken long.
	claimed, err := b.Claimed(ctx)
	if err != nil {
		return err
	}
	if claimed[name] {
		return nil
	}
	found, err := b.Engine.VolumeInspect(ctx, name)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case found.Name != name || !b.removable(found.Labels):
		b.Log.WarnContext(ctx, "leaving a volume that was not made to go with a sandbox", "volume", name)
		return nil
	}
	err = b.Engine.VolumeRemove(ctx, name, false)
	switch {
	case errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err):
		b.Log.InfoContext(ctx, "leaving a volume that is in use", "volume", name)
		return nil
	}
	return err
}

// enter keeps a name from being removed; it waits for a removal that is under way.
func (b *Book) enter(ctx context.Context, name string) error {
	for {
		b.mu.Lock()
		s := b.at(name)
		if s.removing == nil {
			s.users++
			b.mu.Unlock()
			return nil
		}
		over := s.removing
		b.mu.Unlock()
		select {
		case <-over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (b *Book) leave(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.names[name].users--
	b.forget(name)
}

// begin takes a name for a removal, unless it is in use.
func (b *Book) begin(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.at(name)
	if s.users > 0 || s.removing != nil {
		return false
	}
	s.removing = make(chan struct{})
	return true
}

func (b *Book) end(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.names[name].removing)
	b.names[name].removing = nil
	b.forget(name)
}

// at and forget need the lock.
func (b *Book) at(name string) *state {
	if b.names == nil {
		b.names = make(map[string]*state)
	}
	s := b.names[name]
	if s == nil {
		s = new(state)
		b.names[name] = s
	}
	return s
}

func (b *Book) forget(name string) {
	if s := b.names[name]; s.users == 0 && s.removing == nil {
		delete(b.names, name)
	}
}

func inspectError(ctx context.Context, v volume.Volume, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return apierror.New(http.StatusInternalServerError, codeInspect, "volume %q: the container engine could not show or make the volume %q; the server's log has its answer.", v.Name, v.Claim.Name).Because(err)
}
