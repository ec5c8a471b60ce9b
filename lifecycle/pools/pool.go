package pools

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle"
)

// Bounds of what clients can ask for.
const (
	// MaxPools is how many pools one server keeps.
	MaxPools = 64
	// MaxMembers bounds every number of a Capacity.
	MaxMembers = 10_000
	// MaxTemplate bounds a template as JSON, in bytes.
	MaxTemplate = 64 << 10
	// MaxName bounds a name, in bytes.
	MaxName = 253
)

// The codes of contract 01 §16. They name Kubernetes on every runtime, because clients
// know pools from there.
const (
	CodeNotFound     = "KUBERNETES::POOL_NOT_FOUND"
	CodeExists       = "KUBERNETES::POOL_ALREADY_EXISTS"
	CodeFailed       = "KUBERNETES::POOL_API_ERROR"
	CodeNotSupported = "KUBERNETES::POOL_NOT_SUPPORTED"
	CodeExhausted    = "KUBERNETES::POOL_CAPACITY_EXHAUSTED"
)

// Pool is one pool as it was asked for.
type Pool struct {
	Name      string
	Template  Template
	Capacity  Capacity
	CreatedAt time.Time // UTC, microseconds
}

// Capacity says how many sandboxes a pool may have (contract 03 §13.4). The buffer are the
// members that nobody has claimed; the pool are these and the claimed ones.
type Capacity struct {
	BufferMax, BufferMin int
	PoolMax, PoolMin     int
}

// Check refuses numbers that contradict each other or are beyond all reason.
func (c Capacity) Check() error {
	switch {
	case max(c.BufferMax, c.BufferMin, c.PoolMax, c.PoolMin) > MaxMembers:
		return refused("capacitySpec: a number is larger than %d.", MaxMembers)
	case min(c.BufferMax, c.BufferMin, c.PoolMax, c.PoolMin) < 0:
		return refused("capacitySpec: a number is negative.")
	case c.BufferMin > c.BufferMax:
		return refused("capacitySpec: bufferMin is larger than bufferMax.")
	case c.PoolMin > c.PoolMax:
		return refused("capacitySpec: poolMin is larger than poolMax.")
	}
	return nil
}

// Template is what the members of a pool are made from. It is kept as JSON.
type Template struct {
	Image      string              `json:"image"`
	Entrypoint []string            `json:"entrypoint"`
	Env        []lifecycle.EnvVar  `json:"env,omitempty"`
	Resources  map[string]string   `json:"resources,omitempty"`
	Platform   *lifecycle.Platform `json:"platform,omitempty"`
	// FailWhenEmpty refuses claims while no member is left, rather than have the claim make
	// its own.
	FailWhenEmpty bool `json:"failWhenEmpty,omitempty"`
}

// Request is a create request for one member.
func (t Template) Request() lifecycle.CreateRequest {
	return lifecycle.CreateRequest{
		Image: t.Image, Entrypoint: t.Entrypoint, Env: t.Env, Resources: t.Resources, Platform: t.Platform,
	}
}

// Revision tells templates apart: 16 hex digits of a hash of the JSON.
func (t Template) Revision() string {
	encoded, err := json.Marshal(t)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:8])
}

// Status counts the sandboxes of a pool.
type Status struct {
	Total     int // members, also those on the way, and claimed sandboxes
	Allocated int // claimed
	Available int // started and nobody's
	Revision  string
}

// View is a pool with its status.
type View struct {
	Pool
	Status Status
}

var nameGrammar = regexp.MustCompile(`\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\z`)

// check refuses a pool that cannot be kept. What its template means is the Service's to say.
func (p Pool) check() error {
	if len(p.Name) > MaxName || !nameGrammar.MatchString(p.Name) {
		return refused("name must be lower-case letters, digits and inner hyphens, at most %d.", MaxName)
	}
	if encoded, err := json.Marshal(p.Template); err != nil || len(encoded) > MaxTemplate {
		return refused("template: larger than %d bytes.", MaxTemplate)
	}
	return p.Capacity.Check()
}

func refused(format string, args ...any) error {
	return apierror.New(http.StatusBadRequest, "SANDBOX::INVALID_PARAMETER", "%s", fmt.Sprintf(format, args...))
}

func notFound(name string) error {
	return apierror.New(http.StatusNotFound, CodeNotFound, "There is no pool %q.", apierror.Clip(name))
}

func failed(err error, what string) error {
	return apierror.New(http.StatusInternalServerError, CodeFailed, "%s The server's log has the cause.", strings.TrimSpace(what)).Because(err)
}
