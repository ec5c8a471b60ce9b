package lifecycle

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opensandbox-edge/edge/secret"
)

const secretSize = 32

// LoadSecret reads the instance secret, 32 random bytes in a file of mode 0600, and
// makes the file when there is none. Of several processes that make it at once, all
// get the same secret.
func LoadSecret(path string) (secret.Text, error) {
	s, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	if err := makeSecret(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return secret.Text{}, fmt.Errorf("make the instance secret: %w", err)
	}
	return readSecret(path)
}

func readSecret(path string) (secret.Text, error) {
	f, err := os.Open(path)
	if err != nil {
		return secret.Text{}, fmt.Errorf("read the instance secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return secret.Text{}, fmt.Errorf("read the instance secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return secret.Text{}, fmt.Errorf("the instance secret %s is not a regular file", path)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return secret.Text{}, fmt.Errorf("the instance secret %s can be read by others (mode %#o): if nobody did, run chmod 600 on it; else delete it and the sandboxes made with it", path, perm)
	}
	if info.Size() != secretSize {
		return secret.Text{}, fmt.Errorf("the instance secret %s has %d bytes instead of %d: restore it, or delete it and the sandboxes made with it", path, info.Size(), secretSize)
	}
	buf := make([]byte, secretSize)
	if _, err := f.ReadAt(buf, 0); err != nil {
		return secret.Text{}, fmt.Errorf("read the instance secret: %w", err)
	}
	return secret.New(string(buf)), nil
}

// makeSecret writes the whole file under another name and links it into place: the
// path holds a complete secret or nothing, also after a crash.
func makeSecret(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	buf := make([]byte, secretSize)
	if _, err := rand.Read(buf); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(buf)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
