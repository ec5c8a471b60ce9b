package hostpath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Stage is a folder of bind mounts for the moment between a check and the engine's own
// mount. It lies on a file system of its own: an engine that does not share the server's
// mounts finds nothing there, and says so, where it would mount an empty folder otherwise.
// It needs root.
type Stage struct {
	dir string

	mu    sync.Mutex
	ready bool
	next  uint64
	binds int // the file system is mounted while there are some
}

// NewStage makes a Stage at dir, which must belong to this process alone. What an earlier
// process left there is removed; nothing is mounted before the first Bind.
func NewStage(dir string) (*Stage, error) {
	s := &Stage{dir: dir}
	return s, s.Close()
}

// Bind mounts a place below the stage. The path stays what the place was, whatever becomes
// of its names. remove ends the mount; one that the engine has made of it stays.
func (s *Stage) Bind(p *Place, readOnly bool) (path string, remove func() error, err error) {
	target, err := s.reserve(p)
	if err != nil {
		return "", nil, err
	}
	drop := func() error { return errors.Join(detach(target), os.Remove(target), s.leave()) }
	// Mounts below the place come along, as they do with the engine. Without the second step
	// they would share the originals' fate, and removing them here would remove those.
	source := "/proc/self/fd/" + strconv.Itoa(int(p.file.Fd()))
	if err := unix.Mount(source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return "", nil, errors.Join(fmt.Errorf("bind: %w", err), drop())
	}
	if err := unix.Mount("", target, "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return "", nil, errors.Join(fmt.Errorf("make the bind private: %w", err), drop())
	}
	if readOnly { // of the mounts below, too, which the engine leaves writable
		attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &attr); err != nil {
			return "", nil, errors.Join(fmt.Errorf("make the bind read-only: %w", err), drop())
		}
	}
	return target, drop, nil
}

// reserve makes the mount point. A stage that another process took for a leftover is made
// again.
func (s *Stage) reserve(p *Place) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	target := filepath.Join(s.dir, strconv.FormatUint(s.next, 10))
	for {
		fresh, err := s.prepare()
		if err != nil {
			return "", err
		}
		if p.Dir {
			err = os.Mkdir(target, 0o700)
		} else {
			err = os.WriteFile(target, nil, 0o600)
		}
		if err == nil {
			s.binds++
			return target, nil
		}
		if fresh || !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		s.ready = false
	}
}

// leave unmounts the stage with its last bind: a process that is killed leaves nothing
// behind but what it was about to mount.
func (s *Stage) leave() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.binds--; s.binds > 0 {
		return nil
	}
	return s.clear()
}

// prepare mounts the stage, if it is not.
func (s *Stage) prepare() (fresh bool, err error) {
	if s.ready {
		return false, nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return false, err
	}
	if err := unix.Mount("opensandbox-stage", s.dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700,size=1m"); err != nil {
		return false, fmt.Errorf("mount the stage: %w", err)
	}
	s.ready = true
	return true, nil
}

// Close removes the stage with whatever is on it.
func (s *Stage) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clear()
}

// clear needs the lock.
func (s *Stage) clear() error {
	s.ready = false
	if err := detach(s.dir); err != nil && !errors.Is(err, os.ErrPermission) {
		return err
	}
	if err := os.Remove(s.dir); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}

// detach ends the mounts at a path; none is fine.
func detach(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		switch {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			return nil
		case err != nil:
			return fmt.Errorf("unmount %s: %w", path, err)
		}
	}
}
