package rotate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// File is a log file that rotates by size: before the write that would exceed the
// limit, path becomes path.1, path.1 becomes path.2, … and the oldest is dropped
// (contracts 06 §1.2 and 07 §10). It is safe for concurrent use. Files are made 0600, folders 0700.
type File struct {
	path string

	mu     sync.Mutex
	file   *os.File
	size   int64
	limits Limits
}

// Limits say when a File rotates and what it keeps.
type Limits struct {
	MaxBytes int64         // the size that is not exceeded
	Backups  int           // how many old files are kept; 0 = never rotate
	MaxAge   time.Duration // old files not written to for so long go with the next rotation or start; 0 = never
}

// Open opens or creates the log file and its folders.
func Open(path string, limits Limits) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of the log file: %w", err)
	}
	f := &File{path: path, limits: limits}
	if err := f.open(); err != nil {
		return nil, err
	}
	f.expire()
	return f, nil
}

// SetLimits changes the limits of an open file; the next write applies them.
func (f *File) SetLimits(limits Limits) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.limits = limits
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
	if f.limits.Backups > 0 && f.size > 0 && f.size+int64(len(line)) > f.limits.MaxBytes {
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
	for i := f.limits.Backups - 1; i >= 1; i-- {
		if err := os.Rename(f.backup(i), f.backup(i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err := os.Rename(f.path, f.backup(1)); err != nil {
		return nil
	}
	old := f.file
	if err := f.open(); err != nil {
		f.file = old // renamed, but still writable
		return nil
	}
	f.expire()
	return old.Close()
}

// backup is the name of the nth old file.
func (f *File) backup(n int) string { return f.path + "." + strconv.Itoa(n) }

// expire removes old files by age. What cannot be removed now is tried again next time.
func (f *File) expire() {
	if f.limits.MaxAge <= 0 {
		return
	}
	for i := 1; i <= f.limits.Backups; i++ {
		info, err := os.Stat(f.backup(i))
		if err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > f.limits.MaxAge {
			_ = os.Remove(f.backup(i))
		}
	}
}
