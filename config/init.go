package config

import (
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opensandbox-edge/edge/secret"
)

// Init says what init-config is to write.
type Init struct {
	Path     string   // "" = DefaultPath; ~ is expanded
	Template Template // "" = the skeleton
	Replace  bool     // overwrite an existing file
	Key      secret.Text
	Home     string // what ~ means; "" = the user's home directory
}

// Written tells what Write has done.
type Written struct {
	Path string // absolute
	// Beside is the BatchSandbox template next to the file, which the file names; "" but for
	// the Kubernetes kinds.
	Beside string
	// Kept tells that Beside was there before and was left as it is, because Replace was
	// not asked for.
	Kept bool
}

// BatchSandboxExample is the name of the file written beside Kubernetes configurations.
const BatchSandboxExample = "example.batchsandbox-template.yaml"

//go:embed example.batchsandbox-template.yaml
var batchSandboxTemplate []byte

// GenerateKey returns a random API key of 32 bytes in URL-safe base64.
func GenerateKey() secret.Text {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return secret.New(base64.RawURLEncoding.EncodeToString(raw))
}

// Exists is the error of a file that Write may not replace.
type Exists struct{ Path string }

// Error names the file and the flag.
func (e *Exists) Error() string {
	return "Config file already exists at " + e.Path + ". Use --force to overwrite."
}

// Write writes the file, with mode 0600 and in one step: a reader sees the old file
// or the whole new one.
func (i Init) Write() (*Written, error) {
	path := i.Path
	if path == "" {
		path = DefaultPath
	}
	path, err := homes{own: i.Home}.expand(path)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	body, beside := Skeleton(i.Key), ""
	if i.Template == Kubernetes || i.Template == K8sZH {
		beside = filepath.Join(filepath.Dir(path), BatchSandboxExample)
	}
	if i.Template != "" {
		if body, err = example(i.Template, i.Key, beside); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := writeFile(path, body, 0o600, i.Replace); errors.Is(err, fs.ErrExist) {
		return nil, &Exists{Path: path}
	} else if err != nil {
		return nil, err
	}
	written := &Written{Path: path, Beside: beside}
	if beside != "" {
		err := writeFile(beside, batchSandboxTemplate, 0o644, i.Replace)
		written.Kept = errors.Is(err, fs.ErrExist)
		if err != nil && !written.Kept {
			return nil, err
		}
	}
	return written, nil
}

// writeFile writes a temporary file beside path and moves it there. Without replace
// the move is a hard link, which fails when something is there already.
func writeFile(path string, body []byte, mode fs.FileMode, replace bool) (err error) {
	if info, err := os.Lstat(path); err == nil {
		if info.IsDir() {
			return fmt.Errorf("%s is a directory", path)
		}
		if !replace {
			return fs.ErrExist
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".opensandbox-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already after a rename
	_, err = f.Write(body)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if replace {
		return os.Rename(f.Name(), path)
	}
	err = os.Link(f.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// File systems without hard links: the check above has to do.
		return os.Rename(f.Name(), path)
	}
	return err
}
