package docker

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/docker/docker/api/types/mount"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostpath"
	"github.com/opensandbox-edge/edge/lifecycle/docker/ossfs"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

// prepared are the volumes of a sandbox that is about to be created.
type prepared struct {
	mounts  []mount.Mount
	owned   []string // named volumes that go with their last sandbox
	buckets []string // paths of OSSFS mounts

	verify []func() error
	undo   []func()
}

// done ends what was only for the create. It may be called twice.
func (p *prepared) done() {
	for _, undo := range p.undo {
		undo()
	}
	p.undo = nil
}

// verified tells whether the engine was given what was checked, where that is not certain
// beforehand.
func (p *prepared) verified() error {
	for _, verify := range p.verify {
		if err := verify(); err != nil {
			return err
		}
	}
	return nil
}

// prepare has every volume ready to be mounted. What outlives the create, named volumes and
// mounted buckets, is removed by Delete, also after a failure here.
func (m *mounter) prepare(ctx context.Context, sandbox string, volumes []volume.Volume) (*prepared, error) {
	p := new(prepared)
	for _, v := range volumes {
		var made mount.Mount
		var err error
		switch {
		case v.Host != nil:
			made, err = m.hostPath(ctx, p, v)
		case v.Claim != nil:
			made, err = m.namedVolume(ctx, p, v)
		case v.OSSFS != nil:
			made, err = m.bucket(ctx, p, sandbox, v)
		default:
			err = fmt.Errorf("volume %q has no backend", v.Name)
		}
		if err != nil {
			p.done()
			return nil, err
		}
		made.Target, made.ReadOnly = v.Target(), v.ReadOnly
		p.mounts = append(p.mounts, made)
	}
	return p, nil
}

func (m *mounter) hostPath(ctx context.Context, p *prepared, v volume.Volume) (mount.Mount, error) {
	return m.open(ctx, p, v, m.host, v.HostSource())
}

func (m *mounter) namedVolume(ctx context.Context, p *prepared, v volume.Volume) (mount.Mount, error) {
	call, cancel := m.runtime.call(ctx)
	defer cancel()
	n, done, err := m.named.Use(call, v)
	if err != nil {
		return mount.Mount{}, err
	}
	p.undo = append(p.undo, done)
	if n.Owned {
		p.owned = append(p.owned, n.Name)
	}
	if c := v.Claim; c.StorageClass != "" || c.Storage != "" || len(c.AccessModes) > 0 {
		m.runtime.log.InfoContext(ctx, "pvc.storageClass, storage and accessModes have no effect on this runtime", "volume", n.Name)
	}
	if v.SubPath == "" {
		return mount.Mount{Type: mount.TypeVolume, Source: n.Name}, nil
	}
	if n.Driver != "local" || n.Options || !filepath.IsAbs(n.Mountpoint) {
		return mount.Mount{}, apierror.New(http.StatusBadRequest, codeSubPathDriver,
			"volume %q: subPath needs a plain volume of the driver \"local\", which %q is not; mount all of it.", v.Name, n.Name)
	}
	return m.open(ctx, p, v, hostpath.Rules{Roots: []string{n.Mountpoint}, Create: true}, filepath.Join(n.Mountpoint, v.SubPath))
}

func (m *mounter) bucket(ctx context.Context, p *prepared, sandbox string, v volume.Volume) (mount.Mount, error) {
	path, err := m.buckets.Acquire(ctx, sandbox, ossfs.Of(v))
	if err != nil {
		return mount.Mount{}, err
	}
	p.buckets = append(p.buckets, path)
	return m.open(ctx, p, v, hostpath.Rules{Roots: []string{path}}, path)
}

// open makes a bind mount of a path. Where this process may mount, the engine is given a
// mount of what was opened; else the path, which is looked at again after the start.
func (m *mounter) open(ctx context.Context, p *prepared, v volume.Volume, rules hostpath.Rules, path string) (mount.Mount, error) {
	place, err := rules.Open(path)
	if err != nil {
		return mount.Mount{}, hostError(ctx, v, err)
	}
	p.undo = append(p.undo, func() { _ = place.Close() }) // for its path only: nothing is lost
	bind := mount.Mount{Type: mount.TypeBind, Source: place.Path}
	if !m.unstaged.Load() {
		staged, remove, err := m.stage.Bind(place, v.ReadOnly)
		if err == nil {
			bind.Source = staged
			p.undo = append(p.undo, func() {
				if err := remove(); err != nil {
					m.runtime.log.Warn("a mount of a create stays until the next start", "path", staged, "error", err)
				}
			})
			return bind, nil
		}
		if !mayNotMount(err) {
			return mount.Mount{}, hostError(ctx, v, err)
		}
		if m.unstaged.CompareAndSwap(false, true) {
			m.runtime.log.Warn("this server may not mount; between a check of a host path and the engine's own look, a sandbox that can write beside it could swap it. Run the server as root, or let no sandbox write to folders above a mounted path", "error", err)
		}
	}
	p.verify = append(p.verify, func() error {
		if rules.Same(place) {
			return nil
		}
		return hostError(ctx, v, hostpath.ErrOutside)
	})
	return bind, nil
}
