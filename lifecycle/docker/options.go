package docker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/lifecycle/docker/hardening"
	"github.com/opensandbox-edge/edge/lifecycle/docker/hostport"
)

// Adopt says which sandboxes on the engine this server works with.
type Adopt string

const (
	// AdoptUnclaimed takes containers that carry this server's instance label, and those
	// that carry none: the reference server's. Another instance's are left alone, which
	// would have two servers expire and delete each other's sandboxes. It is the default.
	AdoptUnclaimed Adopt = "unclaimed"
	// AdoptOwn takes only containers that carry this server's instance label.
	AdoptOwn Adopt = "own"
	// AdoptAll takes every sandbox container, those of other instances too: a takeover.
	AdoptAll Adopt = "all"
)

// Options configures a Runtime. The zero value of a field is its safer or documented default.
type Options struct {
	// Host is the engine's address, e.g. "unix:///var/run/docker.sock"; empty = DOCKER_HOST
	// and the other standard variables (contract 02 §1).
	Host string
	// Instance names this server on the engine; it is written as a label on every object
	// it creates. Required: 1 to 63 letters, digits, '.', '_' or '-'.
	Instance string
	// Adopt defaults to AdoptUnclaimed.
	Adopt Adopt

	// NetworkMode is "host", "bridge" or the name of an existing network, case kept;
	// empty = "host", as in the reference.
	NetworkMode string
	// APITimeout bounds every engine call but pulls and the event stream; 0 = 180 s.
	APITimeout time.Duration

	// ExecdImage is where execd and bootstrap.sh come from. Required.
	ExecdImage string

	// Volumes says what sandboxes may mount; by default no host path, no bucket, and every
	// named volume but the server's own.
	Volumes Volumes

	// Hardening confines every sandbox. New fails when the engine cannot do what it asks for.
	Hardening hardening.Options

	// ShareRegistryAuth lets requests without credentials pull with the server user's
	// registry logins. The execd image always may.
	ShareRegistryAuth bool
	// CheckImageAccess asks the image's registry at every create whether the request's login
	// may read it; else whoever asks may use what the engine already has.
	CheckImageAccess bool
	// PullPolicy defaults to PullMissing.
	PullPolicy PullPolicy
	// PullTimeout bounds one pull, the wait for its turn included; 0 = 30 min.
	PullTimeout time.Duration
	// MaxPulls is how many pulls run at the same time; 0 = 3.
	MaxPulls int
	// PullMinFree is the room (bytes) on the engine's disk without which no pull begins,
	// where this process can see that disk; 0 = no check.
	PullMinFree int64

	// Reach defaults to ReachAuto.
	Reach Reach
	// Publish makes the engine publish ports 44772 and 8080 of every sandbox for clients:
	// drawn from Ports and named by labels.
	Publish bool
	// PublishAddress is the host's address for ports that are published, for whatever
	// reason; invalid = 127.0.0.1.
	PublishAddress netip.Addr
	// Ports is where host ports are taken from; zero = 40000 to 60000.
	Ports hostport.Range
	// HostAddress is where this process dials ports that are open on every address of the
	// engine's host, when it runs in a container of its own; invalid = loopback, or the
	// engine's address where that is remote.
	HostAddress netip.Addr

	// Logger defaults to slog.Default().
	Logger *slog.Logger
}

var (
	instanceGrammar = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	networkGrammar  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)
	// digestGrammar is also that of an engine's ids.
	digestGrammar = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// withDefaults fills in what was left out and returns every violation at once.
func (o Options) withDefaults() (Options, error) {
	var bad []error
	reject := func(format string, args ...any) { bad = append(bad, fmt.Errorf(format, args...)) }

	if !instanceGrammar.MatchString(o.Instance) {
		reject("instance name %q: want 1 to 63 letters, digits, '.', '_' or '-'", o.Instance)
	}
	switch o.Adopt {
	case "":
		o.Adopt = AdoptUnclaimed
	case AdoptUnclaimed, AdoptOwn, AdoptAll:
	default:
		reject("docker.adopt %q: want \"unclaimed\", \"own\" or \"all\"", o.Adopt)
	}
	if o.NetworkMode == "" {
		o.NetworkMode = networkHost
	}
	switch {
	case o.NetworkMode == "none", strings.HasPrefix(o.NetworkMode, "container:"):
		reject("docker.network_mode %q is not supported: sandboxes need a network of their own; use \"bridge\"", o.NetworkMode)
	case !networkGrammar.MatchString(o.NetworkMode):
		reject("docker.network_mode %q is not a network name", o.NetworkMode)
	}
	switch o.Reach {
	case "":
		o.Reach = ReachAuto
	case ReachAuto, ReachAddress, ReachPublished:
	default:
		reject("docker.reach %q: want \"auto\", \"address\" or \"published\"", o.Reach)
	}
	if !o.PublishAddress.IsValid() {
		o.PublishAddress = loopback
	}
	o.Ports = cmp.Or(o.Ports, hostport.Default)
	if err := o.Ports.Check(); err != nil {
		reject("docker.port_range_min and docker.port_range_max: %v", err)
	}
	if o.NetworkMode == networkHost && o.Hardening.OCIRuntime != "" {
		reject("secure_runtime needs a network apart from the host's, which it cannot share; set docker.network_mode to \"bridge\"")
	}
	switch o.PullPolicy {
	case "":
		o.PullPolicy = PullMissing
	case PullMissing, PullAlways, PullNever:
	default:
		reject("docker.pull_policy %q: want \"missing\", \"always\" or \"never\"", o.PullPolicy)
	}
	if o.ExecdImage == "" {
		reject("runtime.execd_image is required")
	}

	o.APITimeout = cmp.Or(o.APITimeout, 180*time.Second)
	o.PullTimeout = cmp.Or(o.PullTimeout, 30*time.Minute)
	o.MaxPulls = cmp.Or(o.MaxPulls, 3)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, errors.Join(bad...)
}
