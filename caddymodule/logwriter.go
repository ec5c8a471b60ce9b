package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/opensandbox-edge/edge/logging/rotate"
)

func init() { caddy.RegisterModule(new(LogWriter)) }

// logFiles holds the open files by path, so that two configurations, or two limits
// for one path, never rotate the same file behind each other's back.
var logFiles = caddy.NewUsagePool()

// LogWriter writes to a file that rotates by size and keeps numbered backups: path.1 is
// the newest, path.N the oldest. Folders are created; files are readable by their owner only.
//
// Caddyfile:
//
//	log {
//		output opensandbox_file <path> {
//			max_bytes <bytes>
//			backups   <count>
//		}
//	}
type LogWriter struct {
	// Path of the log file.
	Path string `json:"path"`
	// MaxBytes is the size a file does not exceed. Default: 104857600.
	MaxBytes int64 `json:"max_bytes,omitempty"`
	// Backups is how many old files are kept; 0 turns rotation off. Default: 5.
	Backups *int `json:"backups,omitempty"`
}

// The defaults of contract 07 §3.11.
const (
	defaultLogBytes   = 100 << 20
	defaultLogBackups = 5
)

// CaddyModule returns the Caddy module information.
func (*LogWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.writers.opensandbox_file",
		New: func() caddy.Module { return new(LogWriter) },
	}
}

// Provision fills the defaults in.
func (w *LogWriter) Provision(caddy.Context) error {
	if w.MaxBytes == 0 {
		w.MaxBytes = defaultLogBytes
	}
	if w.Backups == nil {
		n := defaultLogBackups
		w.Backups = &n
	}
	return nil
}

// Validate checks the limits.
func (w *LogWriter) Validate() error {
	switch {
	case w.Path == "":
		return errors.New("opensandbox_file needs a path")
	case w.MaxBytes < 1:
		return errors.New("max_bytes must be at least 1")
	case *w.Backups < 0:
		return errors.New("backups must not be negative")
	}
	return nil
}

// String implements fmt.Stringer.
func (w *LogWriter) String() string { return w.Path }

// WriterKey implements caddy.WriterOpener. The limits are part of it, so that changed
// limits open the file again, which applies them.
func (w *LogWriter) WriterKey() string {
	return fmt.Sprintf("opensandbox_file:%s:%d:%d", filepath.Clean(w.Path), w.MaxBytes, *w.Backups)
}

// OpenWriter implements caddy.WriterOpener.
func (w *LogWriter) OpenWriter() (io.WriteCloser, error) {
	key := filepath.Clean(w.Path)
	v, loaded, err := logFiles.LoadOrNew(key, func() (caddy.Destructor, error) {
		f, err := rotate.Open(key, rotate.Limits{MaxBytes: w.MaxBytes, Backups: *w.Backups})
		return pooledFile{f}, err
	})
	if err != nil {
		return nil, err
	}
	file := v.(pooledFile)
	if loaded {
		file.SetLimits(rotate.Limits{MaxBytes: w.MaxBytes, Backups: *w.Backups})
	}
	return &logFile{File: file.File, key: key}, nil
}

// UnmarshalCaddyfile sets up the writer from Caddyfile tokens.
func (w *LogWriter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the writer's name
	if !d.Args(&w.Path) {
		return d.ArgErr()
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option, text := d.Val(), ""
		if !d.Args(&text) {
			return d.ArgErr()
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return d.Errf("%s takes a number, not %q", option, text)
		}
		switch option {
		case "max_bytes":
			w.MaxBytes = n
		case "backups":
			count := int(n)
			w.Backups = &count
		default:
			return d.Errf("unknown option %q: use max_bytes or backups", option)
		}
	}
	return nil
}

// pooledFile lets the pool close the file after its last user.
type pooledFile struct{ *rotate.File }

func (f pooledFile) Destruct() error { return f.Close() }

// logFile is one configuration's use of a file.
type logFile struct {
	*rotate.File
	key string
}

// Close gives the use back; the file closes with the last one.
func (f *logFile) Close() error {
	_, err := logFiles.Delete(f.key)
	return err
}

// Interface guards
var (
	_ caddy.Provisioner     = (*LogWriter)(nil)
	_ caddy.Validator       = (*LogWriter)(nil)
	_ caddy.WriterOpener    = (*LogWriter)(nil)
	_ caddyfile.Unmarshaler = (*LogWriter)(nil)
)
