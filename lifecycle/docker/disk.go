package docker

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// diskFloor is the room that must be left on the engine's disk for a pull to begin.
// The zero value asks for none.
type diskFloor struct {
	folder string
	free   int64 // bytes
}

// newDiskFloor looks at the engine's data folder, which is ours to see only where the
// engine runs on this machine. The error says why there can be no floor.
func newDiskFloor(local bool, folder string, free int64) (diskFloor, error) {
	if free <= 0 {
		return diskFloor{}, nil
	}
	if !local {
		return diskFloor{}, fmt.Errorf("the engine runs elsewhere")
	}
	f := diskFloor{folder: folder, free: free}
	if _, err := f.available(); err != nil {
		return diskFloor{}, err
	}
	return f, nil
}

// check is an error while there is less room than the floor.
func (f diskFloor) check() error {
	if f.free == 0 {
		return nil
	}
	available, err := f.available()
	if err == nil && available < f.free {
		err = fmt.Errorf("%d bytes are free in %s, docker.pull_min_free wants %d", available, f.folder, f.free)
	}
	return err
}

func (f diskFloor) available() (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(f.folder, &fs); err != nil {
		return 0, fmt.Errorf("looking at the engine's data folder %s: %w", f.folder, err)
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}
