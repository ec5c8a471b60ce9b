package ossfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
)

// Codes of contract 01 §16; all of them 500.
const (
	codeMountRoot = "VOLUME::INVALID_OSSFS_MOUNT_ROOT"
	codeMount     = "VOLUME::OSSFS_MOUNT_FAILED"
	codeUnmount   = "VOLUME::OSSFS_UNMOUNT_FAILED"
)

// How long the commands may take.
const (
	mountTimeout   = 30 * time.Second
	unmountTimeout = 20 * time.Second
	answerTimeout  = 5 * time.Second
)

// Mounts are the mounted buckets of one server. It is safe for concurrent use.
type Mounts struct {
	root     string // of all servers that share the configuration
	instance string
	log      *slog.Logger

	mu     sync.Mutex
	places map[string]*place // by path
}

// place is where a bucket is, or may be, mounted.
type place struct {
	path string
	gate chan struct{} // held while it is looked at, mounted or unmounted

	waiting int // under Mounts.mu, with users: the place is forgotten without both
	users   map[string]bool
}

// New keeps mounts below root, in a folder named after the instance.
func New(root, instance string, log *slog.Logger) *Mounts {
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real // the kernel's list names mounts by it
	}
	return &Mounts{root: filepath.Clean(root), instance: instance, log: log, places: make(map[string]*place)}
}

// Adopt counts a sandbox of an earlier process among the users of paths that its label
// names. Paths elsewhere are not this server's to unmount.
func (m *Mounts) Adopt(sandbox string, paths []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, path := range paths {
		if filepath.Clean(path) == path && strings.HasPrefix(path, m.root+"/") {
			m.at(path).users[sandbox] = true
		}
	}
}

// Clean unmounts what an earlier process mounted and no adopted sandbox uses.
func (m *Mounts) Clean(ctx context.Context) {
	points, err := mountPoints()
	if err != nil {
		m.log.WarnContext(ctx, "looking for unused OSSFS mounts failed", "error", err)
		return
	}
	for path := range points {
		if strings.HasPrefix(path, filepath.Join(m.root, m.instance)+"/") {
			m.drop(ctx, path, "")
		}
	}
}

// Acquire mounts a bucket for a sandbox, or shares the mount that is there, and returns its
// path. Only those wait for each other that want the same mount.
func (m *Mounts) Acquire(ctx context.Context, sandbox string, b Bucket) (string, error) {
	if !filepath.IsAbs(m.root) {
		return "", apierror.New(http.StatusInternalServerError, codeMountRoot, "storage.ossfs_mount_root must be an absolute path.")
	}
	p, err := m.enter(ctx, filepath.Join(m.root, m.instance, b.Bucket+"-"+b.key()))
	if err != nil {
		return "", err
	}
	defer m.leave(p)
	if err := m.ensure(ctx, p, b); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p.users[sandbox] = true
	return p.path, nil
}

// Release ends a sandbox's use of all its mounts; those nobody else uses are unmounted.
// What cannot be unmounted is logged, and tried again by the next Clean or Acquire.
func (m *Mounts) Release(ctx context.Context, sandbox string) {
	for _, path := range m.usedBy(sandbox) {
		m.drop(ctx, path, sandbox)
	}
}

func (m *Mounts) usedBy(sandbox string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var paths []string
	for path, p := range m.places {
		if p.users[sandbox] {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// drop takes a user away, and the mount with the last one.
func (m *Mounts) drop(ctx context.Context, path, sandbox string) {
	p, err := m.enter(context.WithoutCancel(ctx), path)
	if err != nil {
		return
	}
	defer m.leave(p)
	m.mu.Lock()
	delete(p.users, sandbox)
	used := len(p.users) > 0
	m.mu.Unlock()
	if used {
		return
	}
	if err := unmount(ctx, path); err != nil {
		m.log.ErrorContext(ctx, "an OSSFS mount stays", "code", codeUnmount, "path", path, "error", err)
	}
}

// at gives the place of a path. The caller holds the lock.
func (m *Mounts) at(path string) *place {
	p := m.places[path]
	if p == nil {
		p = &place{path: path, gate: make(chan struct{}, 1), users: make(map[string]bool)}
		m.places[path] = p
	}
	return p
}

// enter takes the place for its caller alone.
func (m *Mounts) enter(ctx context.Context, path string) (*place, error) {
	m.mu.Lock()
	p := m.at(path)
	p.waiting++
	m.mu.Unlock()
	select {
	case p.gate <- struct{}{}:
		return p, nil
	case <-ctx.Done():
		m.forget(p)
		return nil, context.Cause(ctx)
	}
}

func (m *Mounts) leave(p *place) {
	<-p.gate
	m.forget(p)
}

func (m *Mounts) forget(p *place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.waiting--
	if p.waiting == 0 && len(p.users) == 0 {
		delete(m.places, p.path)
	}
}

// ensure has the bucket mounted and answering. The caller holds the gate.
func (m *Mounts) ensure(ctx context.Context, p *place, b Bucket) error {
	points, err := mountPoints()
	if err != nil {
		return failed("The server cannot read its list of mounts.", err)
	}
	m.mu.Lock()
	used := len(p.users) > 0
	m.mu.Unlock()
	switch {
	case points[p.path] && used:
		if text, err := run(ctx, answerTimeout, "stat", p.path); err != nil {
			return failed("The mount of this bucket, which other sandboxes use, does not answer; delete them, or try again.", fmt.Errorf("%w: %s", err, text))
		}
		return nil
	case points[p.path]: // left over: nobody knows in which state
		if err := unmount(ctx, p.path); err != nil {
			return failed("An old mount of this bucket is in the way.", err)
		}
	case used:
		m.log.WarnContext(ctx, "an OSSFS mount is gone though sandboxes use it; mounting it again", "path", p.path)
	}
	return m.mount(ctx, p.path, b)
}

func (m *Mounts) mount(ctx context.Context, path string, b Bucket) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return failed("The server cannot make the mount point; see storage.ossfs_mount_root.", err)
	}
	var printed string
	err := withFile(b.file(), func(file string) (err error) {
		printed, err = run(ctx, mountTimeout, b.command(path, file)...)
		return err
	})
	if err == nil {
		points, readErr := mountPoints()
		if readErr == nil && points[path] {
			return nil
		}
		err = errors.Join(errors.New("the program ended well and mounted nothing"), readErr)
	}
	printed = b.withoutKeys(printed)
	err = fmt.Errorf("%w: %s", err, printed)
	m.log.WarnContext(ctx, "mounting a bucket failed", "bucket", b.Bucket, "endpoint", b.Endpoint, "error", err)
	err = errors.Join(err, unmount(ctx, path)) // it may have mounted and failed then
	message := "The bucket could not be mounted."
	if printed != "" {
		message += " " + b.Program() + " said: " + apierror.Clip(printed)
	}
	return failed(message, err)
}

// Program is the executable that mounts the bucket.
func (b Bucket) Program() string { return b.command("", "")[0] }

// unmount ends a mount, if there is one, and removes its mount point.
func unmount(ctx context.Context, path string) error {
	ctx = context.WithoutCancel(ctx)
	points, err := mountPoints()
	if err != nil {
		return err
	}
	if points[path] {
		if printed, err := run(ctx, unmountTimeout, "fusermount", "-u", path); err != nil {
			if more, second := run(ctx, unmountTimeout, "umount", path); second != nil {
				return fmt.Errorf("fusermount -u: %w: %s; umount: %w: %s", err, printed, second, more)
			}
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func failed(message string, cause error) error {
	return apierror.New(http.StatusInternalServerError, codeMount, "%s", message).Because(cause)
}
