package bootstrap

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/execd/environ"
)

// prepareEnvFile sees to it that EXECD_ENVS names a file that start-up code can
// append to. In our image the default is a link into the writable run directory.
func (c Config) prepareEnvFile() error {
	name := c.Vars[envsVar]
	if name == "" {
		name = root + "/.env"
	}
	c.Vars[envsVar] = name
	path, err := environ.Path(name, c.Vars)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NONBLOCK, 0o644)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.EACCES):
		if _, statErr := os.Stat(path); statErr == nil {
			return nil // there, although not for us to write: it still can be read
		}
	}
	return err
}

// appendEnvFile adds variables that the file does not set yet.
func (c Config) appendEnvFile(vars environ.Vars) error {
	path, err := environ.Path(c.Vars[envsVar], c.Vars)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	old, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return err
	}
	set, _ := environ.Parse(old, nil)
	var text strings.Builder
	if len(old) > 0 && old[len(old)-1] != '\n' {
		text.WriteByte('\n')
	}
	for _, entry := range vars.List() {
		name, _, _ := strings.Cut(entry, "=")
		if _, ok := set[name]; !ok {
			text.WriteString(entry + "\n")
		}
	}
	_, err = f.WriteString(text.String())
	return err
}
