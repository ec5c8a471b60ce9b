package lifecycle

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/image"
)

// extensionPool names a pool to take the sandbox from (contract 01 §6.6).
const extensionPool = "poolRef"

// What published clients send when their user asked for nothing (contract 01 §17.1). In a
// claim it is no wish.
var (
	clientEntrypoint = []string{"tail", "-f", "/dev/null"}
	clientResources  = map[string]string{"cpu": "1", "memory": "2Gi"}
)

// reservedEnv are the names that steer the daemon of a sandbox. It runs already when a
// claim comes, so that none of them could be honoured.
var reservedEnv = []string{"EXECD_", "OPENSANDBOX_"}

// maxClaimEnv bounds the variables of one claim, in bytes: they reach the sandbox as one
// text, for which Linux has 128 KiB.
const maxClaimEnv = 96 << 10

// checkPool is the rule of creates that name a pool: its members exist, and what cannot be
// changed of a started sandbox is refused.
func (s *Service) checkPool(c *checked, _ time.Time) error {
	c.pool = strings.TrimSpace(c.request.Extensions[extensionPool])
	if c.pool == "" {
		return nil
	}
	if s.o.Pools == nil {
		return apierror.New(http.StatusBadRequest, codePoolRef, "extensions.poolRef: the %s runtime has no pools; create from an image.", s.o.Runtime.Name())
	}
	template, err := s.o.Pools.Template(c.pool)
	if err != nil {
		return err
	}
	r := &c.request
	switch {
	case strings.TrimSpace(r.SnapshotID) != "":
		return fixed("snapshotId")
	case r.NetworkPolicy:
		return fixed("networkPolicy")
	case r.CredentialProxy:
		return fixed("credentialProxy")
	case r.Platform != nil:
		return fixed("platform")
	case len(r.Volumes) > 0:
		return fixed("volumes")
	case r.ImageAuth != nil:
		return fixed("image.auth")
	case !sameImage(r.Image, template.Image):
		return invalid("image: the sandboxes of pool %q are made from %q; leave image out or name that one.", c.pool, template.Image)
	case !sameResources(r.Resources, template.Resources):
		return fixed("resourceLimits")
	}
	r.Image, r.Resources = template.Image, template.Resources
	if err := claimEnv(r.Env); err != nil {
		return err
	}
	c.launch = r.Entrypoint
	if slices.Equal(r.Entrypoint, clientEntrypoint) || slices.Equal(r.Entrypoint, template.Entrypoint) {
		c.launch = nil // it, or its like, runs already
	}
	if r.Entrypoint == nil {
		r.Entrypoint = []string{}
	}
	return nil
}

func fixed(member string) error {
	return invalid("%s: a sandbox from a pool has what the pool's template says; leave it out, or create from an image.", member)
}

func sameImage(asked, has string) bool {
	if strings.TrimSpace(asked) == "" {
		return true
	}
	a, err := image.Parse(strings.TrimSpace(asked))
	b, other := image.Parse(has)
	return err == nil && other == nil && a.Name == b.Name
}

func sameResources(asked, has map[string]string) bool {
	if len(asked) == 0 || maps.Equal(asked, clientResources) {
		return true
	}
	a, _, err := parseLimits(asked)
	b, _, other := parseLimits(has)
	return err == nil && other == nil && a == b
}

// claimEnv refuses the variables that execd's env file cannot carry as they are: it has a
// line for each, trims it and expands references (contract 06 §6.5).
func claimEnv(env []EnvVar) error {
	size := 0
	for _, v := range env {
		if err := v.Check(); err != nil {
			return err
		}
		size += len(v.Name) + len(v.Value) + 2
		name := apierror.Clip(v.Name)
		switch {
		case hasPrefix(v.Name, reservedEnv):
			return invalid("env: %q is reserved for the server; remove it.", name)
		case v.Name != strings.TrimSpace(v.Name) || v.Name[0] == '#':
			return invalid("env: %q is not a name that a sandbox from a pool can be given.", name)
		case v.Value != strings.TrimSpace(v.Value) || strings.ContainsAny(v.Value, "\n\r$"):
			return invalid("env: the value of %q has a \"$\", a line break or space around it, which a sandbox from a pool cannot be given; write it into a file instead, or create from an image.", name)
		case size > maxClaimEnv:
			return invalid("env: more than %d bytes.", maxClaimEnv)
		}
	}
	return nil
}

func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}
