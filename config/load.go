package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
)

// The environment variables that the server reads (contract 07 §4). OPEN_SANDBOX_API_KEY
// and OPEN_SANDBOX_DOMAIN belong to clients and are never read here.
const (
	EnvPath       = "SANDBOX_CONFIG_PATH"
	EnvAPIKey     = "OPENSANDBOX_SERVER_API_KEY"
	EnvInsecure   = "OPENSANDBOX_INSECURE_SERVER"
	EnvDockerHost = "DOCKER_HOST"
	EnvPendingTTL = "PENDING_FAILURE_TTL"
)

// DefaultPath is where the file is looked for when nothing names one.
const DefaultPath = "~/.sandbox.toml"

// maxFileBytes bounds the file; real ones have a few KiB.
const maxFileBytes = 1 << 20

// Options say where configuration comes from. The zero value is the real process.
type Options struct {
	Path   string                           // the --config flag; "" = environment, then DefaultPath
	Lookup func(name string) (string, bool) // environment; nil = os.LookupEnv
	Home   string                           // what ~ means; "" = the user's home directory
}

func (o Options) env(name string) (string, bool) {
	if o.Lookup == nil {
		return os.LookupEnv(name)
	}
	return o.Lookup(name)
}

// Loaded is a configuration together with what is known about it.
type Loaded struct {
	Config *Config
	Report *Report
	Path   string // absolute
	Stamp  Stamp  // of the file that was read; zero after Parse

	options Options
}

// Reload reads the same file and environment again.
func (l *Loaded) Reload() (*Loaded, error) {
	return Load(l.options)
}

// Missing is the error of a file that is not there.
type Missing struct{ Path string }

// Error says what was tried and what to do.
func (e *Missing) Error() string {
	return "Config file " + e.Path + " not found. A server that runs sandboxes needs its [runtime] section, a gateway its [control] section:\n" +
		"  write one with:  opensandbox-server init-config " + e.Path + " --example docker\n" +
		"  or name one by:  --config PATH, the variable " + EnvPath + ", or the default place " + DefaultPath
}

// Unreadable is the error of a file that cannot be read, or is not TOML.
type Unreadable struct {
	Path  string
	Cause error
}

// Error names the file and the cause; the cause never quotes a value of the file.
func (e *Unreadable) Error() string {
	return "Failed to read config file " + e.Path + ": " + e.Cause.Error()
}

// Unwrap gives errors.Is the cause.
func (e *Unreadable) Unwrap() error { return e.Cause }

// Resolve returns the absolute path of the file: Options.Path, else SANDBOX_CONFIG_PATH,
// else DefaultPath. It does not look whether the file exists.
func Resolve(o Options) (string, error) {
	path := o.Path
	if path == "" {
		path, _ = o.env(EnvPath)
	}
	if path == "" {
		path = DefaultPath
	}
	expanded, err := homes{own: o.Home}.expand(path)
	if err != nil {
		return "", fmt.Errorf("config path %s: %w", path, err)
	}
	return filepath.Abs(expanded)
}

// Load reads, validates and completes the configuration. The error is *Missing,
// *Unreadable or *Invalid.
func Load(o Options) (*Loaded, error) {
	path, err := Resolve(o)
	if err != nil {
		return nil, err
	}
	body, stamp, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Missing{Path: path}
	}
	if err != nil {
		return nil, &Unreadable{Path: path, Cause: cause(err)}
	}
	o.Path = path
	loaded, err := Parse(o, body)
	if err != nil {
		return nil, err
	}
	loaded.Stamp, loaded.Config.Path = stamp, path
	return loaded, nil
}

// Parse does the same for a document that has been read already; Options.Path
// names it in messages.
func Parse(o Options, document []byte) (*Loaded, error) {
	tree := map[string]any{}
	document = bytes.TrimPrefix(document, []byte("\xef\xbb\xbf"))
	if _, err := toml.NewDecoder(bytes.NewReader(document)).Decode(&tree); err != nil {
		return nil, &Unreadable{Path: o.Path, Cause: syntax(o.Path, document, err)}
	}
	d := &decoder{
		file: o.Path, tree: tree, lines: findPositions(document), home: homes{own: o.Home},
		config: &Config{},
		report: &Report{Origins: map[string]Origin{}, sections: map[string]bool{}},
	}
	d.renameLegacy()
	d.decode()
	d.environment(o)
	d.credentials(o)
	if len(d.invalid) == 0 {
		d.crossFields()
	}
	d.unknownKeys()
	if len(d.invalid) > 0 {
		return nil, &Invalid{Path: o.Path, Violations: d.invalid, Warnings: d.report.Warnings}
	}
	d.conflicts()
	d.permissions()
	if len(d.invalid) > 0 {
		return nil, &Invalid{Path: o.Path, Violations: d.invalid, Warnings: d.report.Warnings}
	}
	return &Loaded{Config: d.config, Report: d.report, Path: o.Path, options: o}, nil
}

func read(path string) ([]byte, Stamp, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Stamp{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, Stamp{}, err
	}
	if info.IsDir() {
		return nil, Stamp{}, errors.New("it is a directory")
	}
	body, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(body) > maxFileBytes {
		err = fmt.Errorf("it is larger than %d bytes", maxFileBytes)
	}
	return body, stampOf(info), err
}

// cause drops the path that os errors repeat.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
