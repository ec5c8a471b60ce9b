package files

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Info describes one path (contract 06 §9). Links are not followed.
type Info struct {
	Path       string    `json:"path"` // absolute
	Type       string    `json:"type"` // "file", "directory", "symlink" or "other"
	Size       int64     `json:"size"`
	ModifiedAt time.Time `json:"modified_at"`
	CreatedAt  time.Time `json:"created_at"` // time of the inode's last change: the nearest that every file system has
	Owner      string    `json:"owner"`      // name, or the number where there is none
	Group      string    `json:"group"`
	Mode       int       `json:"mode"` // permission bits, octal digits read as a decimal number: 0644 is 644
}

// The values of Info.Type.
const (
	TypeFile      = "file"
	TypeDirectory = "directory"
	TypeSymlink   = "symlink"
	TypeOther     = "other"
)

func typeOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return TypeFile
	case mode.IsDir():
		return TypeDirectory
	case mode&fs.ModeSymlink != 0:
		return TypeSymlink
	default:
		return TypeOther
	}
}

// Describer makes Infos and remembers the names of owners, which would otherwise
// be looked up in the user database for every file of a large tree. It serves one
// request and is not safe for concurrent use.
type Describer struct{ users, groups map[uint32]string }

// NewDescriber makes an empty Describer.
func NewDescriber() *Describer {
	return &Describer{users: map[uint32]string{}, groups: map[uint32]string{}}
}

// Path describes what is at path.
func (d *Describer) Path(path string) (Info, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Info{}, err
	}
	return d.describe(path, info)
}

func (d *Describer) describe(path string, info fs.FileInfo) (Info, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Info{}, err
	}
	out := Info{
		Path: abs, Type: typeOf(info.Mode()), Size: info.Size(), ModifiedAt: info.ModTime(),
		CreatedAt: info.ModTime(), Mode: digits(uint32(info.Mode().Perm())),
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		out.CreatedAt = time.Unix(st.Ctim.Unix())
		out.Owner = name(d.users, st.Uid, func(id string) (string, error) {
			u, err := user.LookupId(id)
			if err != nil {
				return "", err
			}
			return u.Username, nil
		})
		out.Group = name(d.groups, st.Gid, func(id string) (string, error) {
			g, err := user.LookupGroupId(id)
			if err != nil {
				return "", err
			}
			return g.Name, nil
		})
	}
	return out, nil
}

func name(known map[uint32]string, id uint32, lookup func(string) (string, error)) string {
	if n, ok := known[id]; ok {
		return n
	}
	n := strconv.FormatUint(uint64(id), 10)
	if found, err := lookup(n); err == nil && found != "" {
		n = found
	}
	known[id] = n
	return n
}

// digits reads the octal digits of mode as a decimal number.
func digits(mode uint32) int {
	n, _ := strconv.Atoi(strconv.FormatUint(uint64(mode), 8))
	return n
}
