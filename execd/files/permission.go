package files

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// Permission is what a request wants a path's owner and mode to be (contract 06
// §9). Zero members leave things as they are. Owner and group are names or numbers.
type Permission struct {
	Owner string `json:"owner"`
	Group string `json:"group"`
	Mode  int    `json:"mode"` // octal digits as a decimal number, up to 7777
}

// Links says what becomes of a symbolic link at the end of a path.
type Links int

const (
	KeepLinks   Links = iota // the link itself is meant
	FollowLinks              // what it points to is meant
)

// change is a Permission whose names and digits have been resolved. -1 and 0 leave as is.
type change struct {
	uid, gid int
	mode     uint32
}

func (p Permission) resolve() (change, error) {
	c := change{uid: -1, gid: -1}
	if p.Mode != 0 {
		mode, err := strconv.ParseUint(strconv.Itoa(p.Mode), 8, 32)
		if err != nil || mode > 0o7777 {
			return c, fmt.Errorf("mode %d is not made of octal digits up to 7777", p.Mode)
		}
		c.mode = uint32(mode)
	}
	var err error
	if p.Owner != "" {
		c.uid, err = id(p.Owner, func(name string) (string, error) {
			u, err := user.Lookup(name)
			if err != nil {
				return "", err
			}
			return u.Uid, nil
		})
		if err != nil {
			return c, fmt.Errorf("owner %q is unknown", p.Owner)
		}
	}
	if p.Group != "" {
		c.gid, err = id(p.Group, func(name string) (string, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		})
		if err != nil {
			return c, fmt.Errorf("group %q is unknown", p.Group)
		}
	}
	return c, nil
}

// id prefers a name that happens to be a number, as chown does.
func id(name string, lookup func(string) (string, error)) (int, error) {
	text, err := lookup(name)
	if err != nil {
		text = name
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 1<<32-1 { // the system calls read it as "leave"
		return 0, errors.New("unknown")
	}
	return int(n), nil
}

// Apply changes owner, group and mode of path. The mode of a link cannot be
// changed; with KeepLinks that is an error, not a change behind the link.
func Apply(path string, p Permission, links Links) error {
	c, err := p.resolve()
	if err != nil {
		return err
	}
	flags := unix.O_PATH | unix.O_CLOEXEC
	if links == KeepLinks {
		flags |= unix.O_NOFOLLOW
	}
	// One look-up, held by descriptor: what is changed is what was looked at.
	fd, err := unix.Open(path, flags, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	return c.apply(fd, path)
}

func (c change) apply(fd int, path string) error {
	if c.uid >= 0 || c.gid >= 0 {
		if err := unix.Fchownat(fd, "", c.uid, c.gid, unix.AT_EMPTY_PATH); err != nil {
			return &os.PathError{Op: "chown", Path: path, Err: err}
		}
	}
	if c.mode == 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return fmt.Errorf("%s is a symbolic link and has no mode; ask with follow=true to change what it points to", path)
	}
	// A descriptor opened with O_PATH is no good for fchmod; its entry in /proc is.
	// The mode comes after the owner: a new owner clears the setuid bit.
	if err := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), c.mode); err != nil {
		return &os.PathError{Op: "chmod", Path: path, Err: err}
	}
	return nil
}
