package config

import (
	"io/fs"
	"os"
	"time"
)

// Stamp tells versions of a file apart. The zero value stands for one that is not there.
type Stamp struct {
	modified time.Time
	size     int64
}

// StampOf is the stamp of a file as it is now.
func StampOf(path string) Stamp {
	info, err := os.Stat(path)
	if err != nil {
		return Stamp{}
	}
	return stampOf(info)
}

func stampOf(info fs.FileInfo) Stamp { return Stamp{info.ModTime(), info.Size()} }
