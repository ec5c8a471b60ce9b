package logging

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// File is a log file that rotates by size: before the write that would exceed the
// limit, path becomes path.1, path.1 becomes path.2, … and the oldest is dropped
// (contract 07 §10). It is safe for concurrent use. Files are made 0600, folders 0700.
type File struct {
	path string

	mu       sync.Mutex
	file     *os.File
	size     int64
	maxBytes int64
	backups  int
}

// OpenFile opens or creates the log file and its folders. maxBytes is the size that
// is not exceeded; backups is how many old files are kept, 0 = never rotate.
func OpenFile(path string, maxBytes int64, backups int) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the log file: %w", err)
	}
	f := &File{path: path, maxBytes: maxBytes, backups: backups}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// SetLimits changes the limits of an open file; the next write applies them.
func (f *File) SetLimits(maxBytes int64, backups int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.maxBytes, f.backups = maxBytes, backups
}

// Write appends one line. When rotating fails the line still goes to the current
// file: losing the log is worse than a large file.
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	if f.backups > 0 && f.size > 0 && f.size+int64(len(line)) > f.maxBytes {
		if err := f.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(line)
	f.size += int64(n)
	return n, err
}

// Close closes the file. A later Write opens it again, so that a late line of an
// ending configuration is not lost.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("opening the log file: %w", err), file.Close())
	}
	f.file, f.size = file, info.Size()
	return nil
}

// rotate renames the files upwards and opens a new one. A rename that fails leaves
// the current file in place and open.
func (f *File) rotate() error {
	name := func(i int) string { return f.path + "." + strconv.Itoa(i) }
	for i := f.backups - 1; i >= 1; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err := os.Rename(f.path, name(1)); err != nil {
		return nil
	}
	old := f.file
	if err := f.open(); err != nil {
		f.file = old // renamed, but still writable
		return nil
	}
	return old.Close()
}
