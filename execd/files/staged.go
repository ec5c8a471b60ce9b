package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Staged is new content on its way to a path. It is written beside its target and
// takes its place at once in Commit, so that nobody ever reads half a file, and a
// failed upload leaves the old one as it was.
type Staged struct {
	target  string
	temp    *os.File
	written int64
	made    []string    // parents that did not exist
	old     fs.FileInfo // what is replaced, or nil
	inPlace bool        // the directory takes no new files: the content is copied over the old
}

// Stage prepares to replace or create the file at target; missing parents are
// created. With KeepLinks a link in its place is replaced, with FollowLinks what
// it points to. A directory or any other special file is ErrNotRegular.
func Stage(target string, links Links) (*Staged, error) {
	target, err := filepath.Abs(target)
	if err != nil {
		return nil, err
	}
	if links == FollowLinks {
		if real, err := filepath.EvalSymlinks(target); err == nil {
			target = real
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	s := &Staged{target: target}
	if info, err := os.Lstat(target); err == nil {
		switch typeOf(info.Mode()) {
		case TypeFile:
			s.old = info
		case TypeSymlink: // replaced, and none of its attributes are the new file's
		default:
			return nil, fmt.Errorf("%s: %w", target, ErrNotRegular)
		}
	}
	if s.made, err = makeAll(filepath.Dir(target)); err != nil {
		return nil, err
	}
	s.temp, err = os.CreateTemp(filepath.Dir(target), ".execd-new-*")
	if s.old != nil && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS)) {
		s.inPlace = true
		s.temp, err = os.CreateTemp("", ".execd-new-*")
	}
	return s, err
}

// Write implements io.Writer.
func (s *Staged) Write(p []byte) (int, error) {
	n, err := s.temp.Write(p)
	s.written += int64(n)
	return n, err
}

// Pause closes the file between writing and Commit: a request may stage thousands.
func (s *Staged) Pause() error {
	name := s.temp.Name()
	info, err := s.temp.Stat()
	if err == nil && info.Size() != s.written {
		err = fmt.Errorf("%s: %d bytes were written and %d are there", s.target, s.written, info.Size())
	}
	if err == nil {
		err = s.temp.Sync()
	}
	if closeErr := s.temp.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(name)
	}
	return err
}

// Discard forgets the content. It is safe after Commit.
func (s *Staged) Discard() {
	_ = s.temp.Close()
	_ = os.Remove(s.temp.Name())
}

// Commit puts the content in place, after Pause. A file that existed keeps owner
// and mode, a new one gets the default mode; then p applies.
func (s *Staged) Commit(p Permission) error {
	defer s.Discard()
	c, err := p.resolve()
	if err != nil {
		return err
	}
	if err := own(s.made, c); err != nil {
		return err
	}
	if !s.inPlace {
		if err := s.attributes(c); err != nil {
			return err
		}
		err := os.Rename(s.temp.Name(), s.target)
		if err == nil {
			syncDirectory(filepath.Dir(s.target))
			return nil
		}
		if s.old == nil || !errors.Is(err, unix.EBUSY) { // busy: the file is a mount point, as /etc/hosts is
			return err
		}
	}
	return s.overwrite(p)
}

// attributes sets owner and mode of the temporary file, so that the content is
// never to be seen under wrong ones.
func (s *Staged) attributes(c change) error {
	mode := 0o777 &^ umask()
	if s.old != nil {
		mode = uint32(s.old.Mode().Perm())
		if uid, gid, ok := owner(s.old); ok {
			_ = os.Lchown(s.temp.Name(), uid, gid) // not ours to give away: it stays ours
		}
	}
	if err := os.Chmod(s.temp.Name(), fs.FileMode(mode)); err != nil {
		return err
	}
	fd, err := unix.Open(s.temp.Name(), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return c.apply(fd, s.target)
}

// overwrite copies the content over the old file.
func (s *Staged) overwrite(p Permission) error {
	from, err := os.Open(s.temp.Name())
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(s.target, os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err == nil {
		err = to.Sync()
	}
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return Apply(s.target, p, KeepLinks)
}

// syncDirectory makes a rename durable where the file system can; where it
// cannot, there is nothing to do about it.
func syncDirectory(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
