package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostpath"
	"github.com/opensandbox-edge/edge/lifecycle/docker/namedvolume"
	"github.com/opensandbox-edge/edge/lifecycle/docker/ossfs"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
)

// Volumes says what sandboxes may mount, and where the server keeps what that takes.
type Volumes struct {
	Policy volume.Policy
	// NoCreate refuses host paths that do not exist; else they are made as directories.
	NoCreate bool
	// Protected paths of the host reach no sandbox, whatever Policy allows: the server's own
	// files. The engine's, and the kernel's, are protected anyway.
	Protected []string
	// OSSFSRoot is the folder below which buckets are mounted; "" = /mnt/ossfs.
	OSSFSRoot string
	// StageDir is a folder of this instance alone, for bind mounts of the moment; "" = one
	// below /run.
	StageDir string
}

// alwaysProtected are paths with which a sandbox would have the host.
var alwaysProtected = []string{
	"/proc", "/sys", "/dev", "/etc", "/boot",
	"/run/docker.sock", "/run/docker", "/run/containerd", "/var/lib/docker", "/var/lib/containerd",
}

// mounter gives sandboxes their volumes.
type mounter struct {
	runtime *Runtime
	policy  volume.Policy
	host    hostpath.Rules
	stage   *hostpath.Stage
	named   namedvolume.Book
	buckets *ossfs.Mounts

	unstaged atomic.Bool // this process may not mount
}

var _ lifecycle.VolumeMounter = (*Runtime)(nil)

// newMounter checks the options, and takes over what an earlier process left. engineRoot is
// the engine's own folder.
func newMounter(ctx context.Context, r *Runtime, engineRoot string) (*mounter, error) {
	o := r.opts.Volumes
	root := cmp.Or(o.OSSFSRoot, "/mnt/ossfs")
	dir := cmp.Or(o.StageDir, "/run/opensandbox-mounts."+r.opts.Instance)
	m := &mounter{
		runtime: r, policy: o.Policy,
		host:    hostpath.Rules{Roots: o.Policy.HostPaths, Create: !o.NoCreate},
		buckets: ossfs.New(root, r.opts.Instance, r.log),
		named: namedvolume.Book{
			Engine: r.engine, Instance: r.opts.Instance, Policy: o.Policy, Log: r.log, Claimed: r.claimedVolumes,
		},
	}
	m.host.Protected = slices.Concat(alwaysProtected, o.Protected, []string{dir, root})
	if engineRoot != "" {
		m.host.Protected = append(m.host.Protected, engineRoot)
	}
	if socket, ok := strings.CutPrefix(r.engine.DaemonHost(), "unix://"); ok {
		m.host.Protected = append(m.host.Protected, socket)
	}
	for _, prefix := range o.Policy.HostPaths {
		if at := m.within(prefix); at != "" {
			return nil, fmt.Errorf("storage.allowed_host_paths: %q is part of %s, which no sandbox may have; remove it", prefix, at)
		}
	}
	if o.Policy.Claims == nil {
		r.log.Warn("every named volume of the engine may be mounted by who may create sandboxes; set storage.allowed_volumes to [], or to those that are meant for them")
	}
	var err error
	if m.stage, err = hostpath.NewStage(dir); err != nil {
		return nil, fmt.Errorf("removing an earlier server's mounts: %w", err)
	}
	m.takeOver(ctx)
	return m, nil
}

// within names the protected path that a path is, or is part of.
func (m *mounter) within(prefix string) string {
	for at := path.Clean(prefix); at != "/"; at = path.Dir(at) {
		if slices.Contains(m.host.Protected, at) {
			return at
		}
	}
	return ""
}

// takeOver counts the users of buckets again and removes what nobody uses.
func (m *mounter) takeOver(ctx context.Context) {
	found, err := m.runtime.list(ctx, filters.NewArgs(filters.Arg("label", LabelOSSFSMounts)))
	if err != nil {
		m.runtime.log.Warn("listing the users of OSSFS mounts failed; mounts nobody uses stay", "error", err)
		return
	}
	for _, c := range found {
		if !m.runtime.claims(c.Labels) {
			continue
		}
		m.buckets.Adopt(c.Labels[LabelID], textList(c.Labels[LabelOSSFSMounts]))
	}
	m.buckets.Clean(ctx)
	if err := m.named.Sweep(ctx); err != nil {
		m.runtime.log.Warn("looking for volumes that nobody uses failed", "error", err)
	}
}

func (m *mounter) close() error { return m.stage.Close() }

// CheckVolumes implements lifecycle.VolumeMounter.
func (r *Runtime) CheckVolumes(volumes []volume.Volume) error {
	return r.volumes.policy.Check(volumes)
}

// claimedVolumes are the volumes that any sandbox on the engine names as its own.
func (r *Runtime) claimedVolumes(ctx context.Context) (map[string]bool, error) {
	found, err := r.list(ctx, filters.NewArgs(filters.Arg("label", LabelManagedBy)))
	if err != nil {
		return nil, err
	}
	claimed := make(map[string]bool)
	for _, c := range found {
		for _, name := range managedVolumes(c.Labels) {
			claimed[name] = true
		}
	}
	return claimed, nil
}

// giveBack ends what a removed sandbox used. names are the volumes its label names; known
// says that there was a label to read.
func (m *mounter) giveBack(ctx context.Context, id string, known bool, names []string) error {
	m.buckets.Release(ctx, id)
	ctx, cancel := m.runtime.call(ctx)
	defer cancel()
	if known {
		return m.named.Remove(ctx, names)
	}
	return m.named.Sweep(ctx)
}

// textList reads a JSON list of a label.
func textList(text string) []string {
	var list []string
	if text == "" || len(text) > maxLabelBytes || json.Unmarshal([]byte(text), &list) != nil || len(list) > maxManagedVolumes {
		return nil
	}
	return list
}

// hostError is what a client is told of a host path or a folder of a volume that was not
// opened.
func hostError(ctx context.Context, v volume.Volume, err error) error {
	code, what := volume.CodeHostNotAllowed, "host.path"
	if v.Claim != nil {
		code, what = volume.CodeSubPath, "subPath"
	}
	refuse := func(code, text string) error {
		return apierror.New(http.StatusBadRequest, code, "volume %q: %s "+text, v.Name, what).Because(err)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, hostpath.ErrOutside):
		return refuse(code, "leads out of what is allowed.")
	case errors.Is(err, hostpath.ErrProtected):
		return refuse(code, "would give the sandbox files of the server, the engine or the kernel.")
	case errors.Is(err, hostpath.ErrKind):
		return refuse(code, "is neither a directory nor a regular file.")
	case errors.Is(err, hostpath.ErrMissing):
		return refuse(codeHostPathMissing, "does not exist, and this server makes none (storage.create_host_paths).")
	}
	return apierror.New(http.StatusInternalServerError, codeHostPathCreate,
		"volume %q: %s could not be opened or made by the server; its log has the reason.", v.Name, what).Because(err)
}

// Codes of contract 01 §16.
const (
	codeHostPathCreate  = "VOLUME::HOST_PATH_CREATE_FAILED"
	codeHostPathMissing = "VOLUME::HOST_PATH_NOT_FOUND"
	codeSubPathDriver   = "VOLUME::PVC_SUBPATH_UNSUPPORTED_DRIVER"
)

// unseenMount recognises an engine that does not share the server's mounts. An engine has
// no code for it; its text decides the wording alone.
func unseenMount(err error) error {
	if err == nil || !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "bind source path does not exist") {
		return nil
	}
	return apierror.New(http.StatusInternalServerError, codeHostPathCreate,
		"The container engine does not see the server's mounts; run both on one host, and the server in the host's mount namespace.").Because(err)
}

// mayNotMount tells the lack of a right to mount.
func mayNotMount(err error) bool { return errors.Is(err, os.ErrPermission) }

// label writes what a later process has to know.
func (p *prepared) label(labels map[string]string) error {
	for key, list := range map[string][]string{LabelManagedBy: p.owned, LabelOSSFSMounts: p.buckets} {
		if len(list) == 0 {
			continue
		}
		slices.Sort(list)
		text, err := json.Marshal(slices.Compact(list))
		if err != nil {
			return fmt.Errorf("encoding the label %s: %w", key, err)
		}
		labels[key] = string(text)
	}
	return nil
}
