package bootstrap

import (
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/execd/environ"
	"github.com/opensandbox-edge/edge/internal/wire"
)

// The variables of the contract (06 §14.2).
const (
	execdVar     = "EXECD"
	envsVar      = "EXECD_ENVS"
	portVar      = "EXECD_PORT"
	preScriptVar = "EXECD_BOOTSTRAP_PRE_SCRIPT"
	commandVar   = "BOOTSTRAP_CMD"
	shellVar     = "BOOTSTRAP_SHELL"
	proxyVar     = "OPENSANDBOX_EGRESS_MITMPROXY_TRANSPARENT"
)

// ReadyVar tells the daemon the number of the descriptor on which it says, with
// one byte, that it listens.
const ReadyVar = "_OPENSANDBOX_EXECD_READY_FD"

// AfterPreScript is the first argument under which the pre-script's shell calls
// the binary back.
const AfterPreScript = "bootstrap-after-pre-script"

const root = "/opt/opensandbox"

// Config is everything the init needs. FromEnvironment fills it; tests change it.
type Config struct {
	Args      []string     // the user's entrypoint
	Vars      environ.Vars // what the user's process and the daemon get
	Secrets   []string     // "NAME=value" entries for the daemon alone
	Self      string       // path of this binary
	Sourced   bool         // the pre-script has run
	CAFile    string       // certificate the egress sidecar exports
	CABundle  string       // where roots and that certificate are written together
	CATimeout time.Duration
	Ready     time.Duration // bound on the daemon's start
	Grace     time.Duration // between TERM and KILL for the daemon
	Backoff   time.Duration // first pause before a restart of the daemon; doubles up to MaxBackoff
	Log       *slog.Logger
}

// MaxBackoff is the longest pause between two restarts of the daemon.
const MaxBackoff = 10 * time.Second

// stable is how long the daemon must have run for its next pause to be the first again.
const stable = 30 * time.Second

// FromEnvironment reads the process environment. sourced says whether the caller
// was invoked with AfterPreScript.
func FromEnvironment(args, list []string, log *slog.Logger) Config {
	c := Config{
		Args:      args,
		Vars:      environ.FromList(list),
		CAFile:    root + "/mitmproxy-ca-cert.pem",
		CABundle:  root + "/merged-ca-certificates.pem",
		CATimeout: 300 * time.Second,
		Ready:     15 * time.Second,
		Grace:     5 * time.Second,
		Backoff:   100 * time.Millisecond,
		Log:       log,
	}
	for _, entry := range list {
		if strings.HasPrefix(entry, wire.EnvExecdToken+"=") || strings.HasPrefix(entry, wire.EnvExecdTokenSum+"=") {
			c.Secrets = append(c.Secrets, entry)
		}
	}
	c.Self, _ = os.Executable()
	return c
}

// daemon is the command line of the daemon. Without EXECD it is the installed
// binary, and this binary where nothing is installed.
func (c Config) daemon() []string {
	if argv := strings.Fields(c.Vars[execdVar]); len(argv) > 0 {
		return argv
	}
	if installed := root + "/execd"; executable(installed) {
		return []string{installed}
	}
	return []string{c.Self}
}

// port is where the daemon will listen: its flag, the variable, the default.
func (c Config) port() int {
	argv := c.daemon()
	for i, arg := range argv {
		name, value, ok := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name != "port" || !strings.HasPrefix(arg, "-") {
			continue
		}
		if !ok && i+1 < len(argv) {
			value = argv[i+1]
		}
		if n, err := strconv.Atoi(value); err == nil {
			return n
		}
	}
	for _, name := range []string{wire.EnvExecdPort, portVar} {
		if n, err := strconv.Atoi(c.Vars[name]); err == nil {
			return n
		}
	}
	return int(wire.PortExecd)
}

// proxied reports whether the egress sidecar intercepts TLS.
func (c Config) proxied() bool {
	return slices.Contains([]string{"1", "true", "yes", "on"}, strings.ToLower(c.Vars[proxyVar]))
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
