package command

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/execd/problem"
)

// Kind says who follows a command.
type Kind int

const (
	Foreground Kind = iota // output is delivered line by line while it runs
	Background             // output is only kept
)

// Spec is a request to run a command (contract 06 §6.1).
type Spec struct {
	Command   string
	Cwd       string // expanded with the command's own environment; "" = the daemon's
	Kind      Kind
	TimeoutMS int64   // 0 = none
	UID       *uint32 // nil = the daemon's
	GID       *uint32 // needs UID; nil = the user's primary group
	Env       map[string]string
}

// plan is a Spec that was checked against the sandbox as it is now.
type plan struct {
	text    string
	kind    Kind
	timeout time.Duration // 0 = none
	cwd     string
	shell   string // "" = none found; starting then fails
	env     environ.Vars
	account *account // nil = run as the daemon
}

func (s Spec) plan(o Options) (plan, error) {
	p := plan{text: s.Command, kind: s.Kind}
	switch {
	case s.Command == "":
		return p, problem.Invalid("invalid request, validation error: command must not be empty")
	case strings.ContainsRune(s.Command, 0):
		return p, problem.Invalid("invalid request, validation error: command contains a NUL byte")
	case s.TimeoutMS < 0:
		return p, problem.Invalid("invalid request, validation error: timeout must not be negative")
	case s.GID != nil && s.UID == nil:
		return p, problem.Invalid("uid is required when gid is provided")
	}
	for name, value := range s.Env {
		if !environ.ValidName(name) || !environ.ValidValue(value) {
			return p, problem.Invalid("invalid request, validation error: envs has a name or value that no process can carry")
		}
	}
	// A timeout beyond the range of time.Duration is as good as none.
	if s.TimeoutMS < math.MaxInt64/int64(time.Millisecond) {
		p.timeout = time.Duration(s.TimeoutMS) * time.Millisecond
	}

	p.env = o.Process
	if s.UID != nil {
		p.account = resolve(*s.UID, s.GID)
		p.env = p.env.With(p.account.vars())
	}
	p.env = p.env.With(envFile(o)).With(s.Env)
	p.shell = p.env.Program("bash", "sh") // on the PATH the command will have
	return p, p.resolveCwd(s.Cwd)
}

func envFile(o Options) environ.Vars {
	if o.EnvFile == "" {
		return nil
	}
	path, err := environ.Path(o.EnvFile, o.Process)
	if err != nil {
		o.Log.Warn("env file ignored", "error", err)
		return nil
	}
	vars, warnings, err := environ.ReadFile(path, o.Process)
	if err != nil {
		o.Log.Warn("env file ignored", "error", err)
		return nil
	}
	for _, w := range warnings {
		o.Log.Warn("env file: line skipped", "reason", w)
	}
	return vars
}

// resolveCwd expands the directory with the environment the command will have
// and checks it now: a failed chdir would read as a failed command.
func (p *plan) resolveCwd(cwd string) error {
	if cwd == "" {
		return nil
	}
	path, err := environ.Path(cwd, p.env)
	if err != nil {
		return problem.Invalid("cannot resolve working directory %s: %s", cwd, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem.Invalid("working directory does not exist: %s", path)
	case err != nil:
		return problem.Invalid("cannot access working directory %s: %s", path, err)
	case !info.IsDir():
		return problem.Invalid("working directory is not a directory: %s", path)
	}
	p.cwd = path
	return nil
}
