package environ

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// defaultPath serves processes that were started without PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Program finds the first of names that is an executable file on the PATH of
// vars. Relative entries of PATH do not count: they would depend on a working
// directory that is not ours. It returns "" when there is none.
func (v Vars) Program(names ...string) string {
	path := v["PATH"]
	if path == "" {
		path = defaultPath
	}
	for _, name := range names {
		for _, dir := range filepath.SplitList(path) {
			file := filepath.Join(dir, name)
			if filepath.IsAbs(file) && executable(file) {
				return file
			}
		}
	}
	return ""
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && unix.Access(file, unix.X_OK) == nil
}
