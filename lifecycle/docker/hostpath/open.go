package hostpath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Why a path was not opened. Other errors are the host's.
var (
	ErrOutside   = errors.New("the path leads out of what is allowed")
	ErrProtected = errors.New("the path holds, or is part of, what no sandbox may have")
	ErrKind      = errors.New("neither a directory nor a regular file")
	ErrMissing   = errors.New("the path does not exist")
)

// Rules say what may be opened.
type Rules struct {
	// Roots are absolute paths; what is opened lies below one of them after links are
	// resolved. "/" stands for everything.
	Roots []string
	// Protected paths are never opened, nor what is below or above them.
	Protected []string
	// Create makes missing directories.
	Create bool
}

// Place is an open directory or regular file. The caller closes it.
type Place struct {
	Path string // canonical when it was opened
	Dir  bool

	file *os.File // for its path only: nothing can be read through it
	id   identity
}

// identity is what a path cannot fake.
type identity struct{ device, inode uint64 }

// Close forgets the place.
func (p *Place) Close() error { return p.file.Close() }

// attempts bounds how often a path that changes while it is walked is tried.
const attempts = 3

// Open opens a clean absolute path.
func (r Rules) Open(path string) (*Place, error) {
	protected, err := identify(r.Protected)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		canonical, err := resolve(path)
		if err != nil {
			return nil, err
		}
		if !r.allows(canonical) {
			return nil, ErrOutside
		}
		if protected.named(canonical) {
			return nil, ErrProtected
		}
		place, err := walk(canonical, protected, r.Create)
		if !errors.Is(err, errLink) {
			return place, err
		}
		if attempt == attempts {
			return nil, ErrOutside // links that lead nowhere, or one that somebody moves about
		}
	}
}

// Same tells whether the place's path still leads to it.
func (r Rules) Same(p *Place) bool {
	r.Create = false
	again, err := r.Open(p.Path)
	if err != nil {
		return false
	}
	defer again.Close()
	return again.id == p.id
}

func (r Rules) allows(canonical string) bool {
	for _, root := range r.Roots {
		if resolved, err := resolve(filepath.Clean(root)); err == nil && below(canonical, resolved) {
			return true
		}
	}
	return false
}

// resolve follows the links of the part of a path that exists.
func resolve(path string) (string, error) {
	rest := ""
	for at := path; ; at = filepath.Dir(at) {
		real, err := filepath.EvalSymlinks(at)
		switch {
		case err == nil:
			return filepath.Join(real, rest), nil
		case !errors.Is(err, os.ErrNotExist) || at == "/":
			return "", err
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// errLink says that a link was met where there was none a moment ago.
var errLink = errors.New("a link on the way")

// walk opens a path component by component, following nothing.
func walk(path string, protected guarded, create bool) (*Place, error) {
	at, err := os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	place := &Place{Path: path, Dir: true, file: at}
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" {
			break // the root itself
		}
		if !place.Dir {
			err = fmt.Errorf("%s: %w", name, unix.ENOTDIR)
		} else {
			err = place.step(name, create)
		}
		if err == nil && protected.at[place.id] {
			err = ErrProtected
		}
		if err != nil {
			return nil, errors.Join(err, place.Close())
		}
	}
	if place.id == (identity{}) {
		place.id = guardOf(place.file)
	}
	if protected.above[place.id] {
		return nil, errors.Join(ErrProtected, place.Close())
	}
	return place, nil
}

// step goes from a directory to one of its entries.
func (p *Place) step(name string, create bool) error {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	dir := int(p.file.Fd())
	fd, err := unix.Openat(dir, name, flags, 0)
	if errors.Is(err, unix.ENOENT) {
		if !create {
			return ErrMissing
		}
		if err := unix.Mkdirat(dir, name, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("make the directory %q: %w", name, err)
		}
		fd, err = unix.Openat(dir, name, flags, 0)
	}
	if err != nil {
		return fmt.Errorf("open %q: %w", name, err)
	}
	next := os.NewFile(uintptr(fd), name)
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return errors.Join(err, next.Close())
	}
	switch s.Mode & unix.S_IFMT {
	case unix.S_IFDIR, unix.S_IFREG:
	case unix.S_IFLNK:
		return errors.Join(errLink, next.Close())
	default:
		return errors.Join(ErrKind, next.Close())
	}
	_ = p.file.Close() // nothing is written through it
	p.file, p.Dir, p.id = next, s.Mode&unix.S_IFMT == unix.S_IFDIR, identity{s.Dev, s.Ino}
	return nil
}

func guardOf(f *os.File) identity {
	var s unix.Stat_t
	if unix.Fstat(int(f.Fd()), &s) != nil {
		return identity{}
	}
	return identity{s.Dev, s.Ino}
}

// guarded are the protected paths, and the directories that contain them.
type guarded struct {
	names     []string // canonical, also of those that do not exist yet
	at, above map[identity]bool
}

// named tells by the name alone whether a canonical path is, holds or is part of a
// protected one.
func (g guarded) named(canonical string) bool {
	for _, name := range g.names {
		if below(canonical, name) || below(name, canonical) {
			return true
		}
	}
	return false
}

// identify finds the protected paths on the disk by what they are, so that a second name
// of one is the same. One that does not exist yet is known by its name.
func identify(protected []string) (guarded, error) {
	g := guarded{at: map[identity]bool{}, above: map[identity]bool{}}
	for _, path := range protected {
		canonical, err := resolve(filepath.Clean(path))
		if err != nil {
			return g, err
		}
		g.names = append(g.names, canonical)
		set := g.at
		for at := canonical; ; at = filepath.Dir(at) {
			var s unix.Stat_t
			if unix.Lstat(at, &s) == nil {
				set[identity{s.Dev, s.Ino}] = true
			}
			set = g.above
			if at == "/" {
				break
			}
		}
	}
	return g, nil
}

func below(path, root string) bool {
	return path == root || root == "/" || strings.HasPrefix(path, root+"/")
}
