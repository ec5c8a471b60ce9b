package lifecycle

import (
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/volume"
	"github.com/opensandbox-edge/edge/secret"
)

// CreateRequest is a validated-for-shape create request (contract 01 §6.1), before
// the service's own rules (§6.3) have been applied.
type CreateRequest struct {
	// Client names who asks, such as the name of an API key; creates in progress are
	// bounded per client. "" is a client too.
	Client string

	// Async asks for an answer as soon as the sandbox has an id. It is Pending then, and its
	// way to Running or Failed does not depend on the caller any more.
	Async bool
	// IdempotencyKey makes a repeated request give the sandbox that the first one made; ""
	// = none. Content is a hash of the request, by which a repetition is known.
	IdempotencyKey string
	Content        [32]byte

	Image      string
	ImageAuth  *RegistryAuth
	SnapshotID string
	Platform   *Platform
	Timeout    time.Duration // 0 = manual cleanup
	Resources  map[string]string
	Env        []EnvVar // request order, null values already dropped
	Metadata   map[string]string
	Entrypoint []string
	Extensions map[string]string
	// SecureAccess asks for a sandbox that demands access verification on every port.
	SecureAccess bool

	// Members whose support comes later; present means the request named them,
	// and the service answers 400 naming the member rather than drop a wish.
	NetworkPolicy   bool
	CredentialProxy bool

	Volumes []volume.Volume
}

// RegistryAuth is the login for one image pull. It is used once and never stored.
type RegistryAuth struct {
	Username string
	Password secret.Text
}

// EnvVar is one environment variable of the user process.
type EnvVar struct{ Name, Value string }

// Check refuses a name that no process can receive, or that would smuggle in a second
// variable. Which names are reserved is the runtime's rule.
func (v EnvVar) Check() error {
	if v.Name == "" || strings.ContainsAny(v.Name, "=\x00\n") {
		return invalid("env: %q is not a valid variable name.", apierror.Clip(v.Name))
	}
	if strings.ContainsRune(v.Value, 0) {
		return invalid("env: the value of %q contains a NUL character.", apierror.Clip(v.Name))
	}
	return nil
}

// Spec is what a Runtime is asked to create: normalised, defaults applied,
// every rule of the service already checked.
type Spec struct {
	ID         string
	Image      string
	ImageAuth  *RegistryAuth
	SnapshotID string
	Platform   *Platform
	Entrypoint []string // as requested; the runtime does its own shell-splitting
	Env        []EnvVar
	Metadata   map[string]string
	Limits     Limits
	Volumes    []volume.Volume
	Timeout    time.Duration // 0 = manual cleanup; creation-time expiry labels come from it
	RenewValue string        // trimmed text of extensions["access.renew.extend.seconds"]; "" = absent
	// RenewMax and IdleTimeout are Record's.
	RenewMax    time.Duration
	IdleTimeout time.Duration
	// ExecdTokenSHA256 is lower-case hex of SHA-256 of the execd access token; "" = no token.
	ExecdTokenSHA256 string
	// SecureAccess is Record's.
	SecureAccess bool
	// Pool is Record's.
	Pool string

	// Notice is told of the steps of Create that may take long; nil = nobody asks. It is
	// called within Create, by the goroutine that runs it.
	Notice Notice
}

// Limits are parsed resource limits. Zero values mean "not limited by the request".
type Limits struct {
	MemoryBytes int64
	NanoCPUs    int64
	GPUs        int // -1 = all
}
