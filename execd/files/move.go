package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Move renames a file or directory (contract 06 §9). A missing parent of dest is
// created; an existing dest is an error. Between file systems it copies, then
// removes the source.
func Move(src, dest string) error {
	if _, err := os.Lstat(src); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, src, unix.AT_FDCWD, dest, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) { // the file system does not know the flag
		if _, statErr := os.Lstat(dest); statErr == nil {
			err = unix.EEXIST
		} else {
			err = unix.Rename(src, dest)
		}
	}
	if errors.Is(err, unix.EXDEV) {
		err = moveByCopy(src, dest)
	}
	if err != nil {
		return fmt.Errorf("move %s to %s: %w", src, dest, err)
	}
	return nil
}

func moveByCopy(src, dest string) error {
	if _, err := os.Lstat(dest); err == nil {
		return unix.EEXIST
	}
	if err := copyTree(src, dest); err != nil {
		return errors.Join(err, os.RemoveAll(dest))
	}
	return os.RemoveAll(src)
}

// copyTree copies files, directories and links with mode, owner and time.
func copyTree(src, dest string) error {
	info, err := os.Lstat(src)
	if err != nil {
		return err
	}
	switch typeOf(info.Mode()) {
	case TypeSymlink:
		target, err := os.Readlink(src)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, dest); err != nil {
			return err
		}
		return chownLike(dest, info)
	case TypeFile:
		if err := copyFile(src, dest); err != nil {
			return err
		}
	case TypeDirectory:
		if err := os.Mkdir(dest, 0o700); err != nil {
			return err
		}
		entries, err := os.ReadDir(src)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := copyTree(filepath.Join(src, e.Name()), filepath.Join(dest, e.Name())); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("%s: %w", src, ErrNotRegular)
	}
	if err := chownLike(dest, info); err != nil {
		return err
	}
	if err := os.Chmod(dest, info.Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)); err != nil {
		return err
	}
	return os.Chtimes(dest, time.Time{}, info.ModTime())
}

func copyFile(src, dest string) error {
	from, _, err := Open(src)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(dest, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err == nil {
		err = to.Sync()
	}
	return errors.Join(err, to.Close())
}

// chownLike keeps the owner where the daemon may; others' files become its own
// when it is not root, as with cp.
func chownLike(path string, info fs.FileInfo) error {
	uid, gid, ok := owner(info)
	if !ok {
		return nil
	}
	if err := os.Lchown(path, uid, gid); err != nil && os.Geteuid() == 0 {
		return err
	}
	return nil
}
