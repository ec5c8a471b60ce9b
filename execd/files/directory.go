package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Make creates the directory and its missing parents (contract 06 §10). The
// permission goes to the leaf, and only if it is new; new parents get its owner.
func Make(path string, p Permission) error {
	c, err := p.resolve()
	if err != nil {
		return err
	}
	made, err := makeAll(path)
	if err != nil || len(made) == 0 {
		return err
	}
	if err := own(made[:len(made)-1], c); err != nil {
		return err
	}
	return Apply(made[len(made)-1], p, KeepLinks)
}

// makeAll is mkdir -p; it returns the directories that were missing, outermost first.
func makeAll(path string) (made []string, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	for p := path; ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || !errors.Is(err, fs.ErrNotExist) || p == filepath.Dir(p) {
			break
		}
		made = append([]string{p}, made...)
	}
	return made, os.MkdirAll(path, 0o777)
}

func own(dirs []string, c change) error {
	if c.uid < 0 && c.gid < 0 {
		return nil
	}
	for _, dir := range dirs {
		if err := os.Lchown(dir, c.uid, c.gid); err != nil {
			return err
		}
	}
	return nil
}

// ErrRoot refuses the removal of "/".
var ErrRoot = errors.New("the root directory cannot be removed")

// RemoveTree removes path and all below it; what is not there is removed already.
func RemoveTree(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if abs == "/" {
		return ErrRoot
	}
	return os.RemoveAll(abs)
}

// Remove removes one file or link, dangling or not. A missing one is success, a
// directory an error.
func Remove(path string) error {
	err := unix.Unlink(path)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return nil
	default:
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
}

// The ways a path can fail to be a directory that can be listed.
var (
	ErrNotDirectory = errors.New("not a directory")
	ErrLink         = errors.New("a symbolic link")
)

// List calls visit for what is below root, down to depth levels: parents before
// children, names in lexical order, links listed and never entered. Directories
// that cannot be read are listed and not entered; what vanishes is left out.
func List(ctx context.Context, root string, depth int, visit func(Info) error) error {
	info, err := os.Lstat(root)
	switch {
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return ErrLink
	case !info.IsDir():
		return ErrNotDirectory
	}
	if depth == 0 {
		return nil
	}
	if _, err := os.ReadDir(root); err != nil { // an unreadable root is an error, not an empty list
		return err
	}
	return list(ctx, NewDescriber(), root, depth, visit)
}

func list(ctx context.Context, d *Describer, dir string, depth int, visit func(Info) error) error {
	entries, _ := os.ReadDir(dir) // sorted; an error leaves what was read so far
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(dir, entry.Name())
		info, err := d.Path(path)
		if err != nil {
			continue
		}
		if err := visit(info); err != nil {
			return err
		}
		if info.Type == TypeDirectory && depth > 1 {
			if err := list(ctx, d, path, depth-1, visit); err != nil {
				return err
			}
		}
	}
	return nil
}
