package config

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// homes expands a leading ~ or ~user of paths.
type homes struct {
	own string // "" = ask the system
}

var errNoHome = errors.New("cannot expand ~: the home directory is unknown; set HOME or write an absolute path")

func (h homes) expand(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path, nil
	}
	name, tail, _ := strings.Cut(rest, "/")
	dir := h.own
	switch {
	case name != "":
		u, err := user.Lookup(name)
		if err != nil {
			return "", errors.New("cannot expand ~user: there is no such user")
		}
		dir = u.HomeDir
	case dir == "":
		var err error
		if dir, err = os.UserHomeDir(); err != nil {
			return "", errNoHome
		}
	}
	return filepath.Join(dir, tail), nil
}
