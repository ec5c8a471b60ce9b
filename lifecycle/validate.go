package lifecycle

import (
	"cmp"
	"context"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/image"
)

// latest is the last moment that has a four-digit year, the last that every client parses.
var latest = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)

// notRepresentable is the timeout that stands for one no time.Duration can hold.
const notRepresentable = time.Duration(math.MaxInt64)

// TimeoutSeconds turns the wire's seconds into CreateRequest.Timeout. What does not fit
// stays recognisable, so that it is refused and does not wrap around.
func TimeoutSeconds(n int64) time.Duration {
	if n < 0 || n > int64(notRepresentable/time.Second) {
		return notRepresentable
	}
	return time.Duration(n) * time.Second
}

// checked is what the service's own rules make of a request.
type checked struct {
	request CreateRequest // normalised
	limits  Limits
	ignored []string // resource keys nobody enforces
	access  accessRules
	pool    string   // "" = made from an image
	launch  []string // what a claim wants started in its member
}

// check applies the rules of contract 01 §6.3 in their order and stops at the first
// failure. It touches no backend.
func (s *Service) check(r CreateRequest, now time.Time) (checked, error) {
	c := checked{request: r}
	rules := []func(*checked, time.Time) error{
		s.checkAccess, s.checkPool, s.checkSnapshot, s.checkEntrypoint, s.checkMetadata,
		s.checkPlatform, s.checkTimeout, s.checkUnsupported, s.checkImage, s.checkVolumes,
		s.checkWindows, s.checkEnv, s.checkLimits,
	}
	for _, rule := range rules {
		if err := rule(&c, now); err != nil {
			return checked{}, err
		}
	}
	return c, nil
}

// defaultEntrypoint is what a restored sandbox runs when its request names nothing.
var defaultEntrypoint = []string{"tail", "-f", "/dev/null"}

func (s *Service) checkSnapshot(c *checked, _ time.Time) error {
	id := strings.TrimSpace(c.request.SnapshotID)
	c.request.SnapshotID = ""
	if id == "" {
		return nil
	}
	if s.o.Snapshots == nil {
		return apierror.New(http.StatusNotFound, codeNoSnapshot, "There is no snapshot %q.", apierror.Clip(id))
	}
	ctx, cancel := context.WithTimeout(s.ctx, maxInspect)
	defer cancel()
	restored, err := s.o.Snapshots.RestoreImage(ctx, id)
	if err != nil {
		return err
	}
	// It is on the backend and in no registry: no rule about registries speaks of it.
	c.request.SnapshotID, c.request.Image, c.request.ImageAuth = id, restored, nil
	if len(c.request.Entrypoint) == 0 {
		c.request.Entrypoint = slices.Clone(defaultEntrypoint)
	}
	return nil
}

func (s *Service) checkEntrypoint(c *checked, _ time.Time) error {
	if len(c.request.Entrypoint) == 0 && c.pool == "" {
		return apierror.New(http.StatusBadRequest, codeInvalidEntrypoint, "entrypoint must have at least one element.")
	}
	for _, arg := range c.request.Entrypoint {
		if strings.ContainsRune(arg, 0) {
			return apierror.New(http.StatusBadRequest, codeInvalidEntrypoint, "entrypoint must not contain NUL characters.")
		}
	}
	return nil
}

func (s *Service) checkMetadata(c *checked, _ time.Time) error {
	if len(c.request.Metadata) > maxMetadata {
		return invalidLabel("metadata has more than %d entries.", maxMetadata)
	}
	return checkLabels(c.request.Metadata)
}

func (s *Service) checkPlatform(c *checked, _ time.Time) error {
	p := c.request.Platform
	if p == nil {
		return nil
	}
	n := Platform{OS: normal(p.OS), Arch: normal(p.Arch)}
	if n.OS != "linux" && n.OS != "windows" {
		return invalid("platform.os must be \"linux\" or \"windows\".")
	}
	if n.Arch != "amd64" && n.Arch != "arm64" {
		return invalid("platform.arch must be \"amd64\" or \"arm64\".")
	}
	c.request.Platform = &n
	return nil
}

func (s *Service) checkTimeout(c *checked, now time.Time) error {
	t := c.request.Timeout
	if t < 0 || t == notRepresentable || now.After(latest.Add(-t)) {
		return invalid("timeout reaches beyond the year 9999.")
	}
	if s.o.MaxTimeout > 0 && t > s.o.MaxTimeout {
		return invalid("timeout must not exceed %d seconds, the limit of this server.", int64(s.o.MaxTimeout/time.Second))
	}
	return nil
}

// checkUnsupported refuses wishes that this server cannot fulfil, by name.
func (s *Service) checkUnsupported(c *checked, _ time.Time) error {
	switch r := c.request; {
	case r.SecureAccess && !s.o.SecureAccess:
		return invalid("secureAccess needs ingress.mode = \"gateway\", which this server does not have.")
	case r.NetworkPolicy:
		return invalid("networkPolicy is not supported by this server.")
	case r.CredentialProxy:
		return invalid("credentialProxy is not supported by this server.")
	}
	return nil
}

func (s *Service) checkImage(c *checked, _ time.Time) error {
	if c.request.SnapshotID != "" {
		return nil
	}
	c.request.Image = strings.TrimSpace(c.request.Image)
	ref, err := image.Parse(c.request.Image)
	if err != nil {
		return invalid("image.uri is not valid; use for example \"python:3.11\" or \"registry.example.com/team/app:1.0\".").Because(err)
	}
	if err := (image.Policy{Allowed: s.o.AllowedRegistries, Denied: s.o.DeniedRegistries}).Check(ref); err != nil {
		return invalid("image.uri: %v (%q).", err, apierror.Clip(c.request.Image))
	}
	return nil
}

func (s *Service) checkWindows(c *checked, _ time.Time) error {
	if p := c.request.Platform; p != nil && p.OS == "windows" {
		return invalid("platform.os: Windows sandboxes are not supported by this server; use \"linux\".")
	}
	return nil
}

func (s *Service) checkEnv(c *checked, _ time.Time) error {
	for _, v := range c.request.Env {
		if err := v.Check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) checkLimits(c *checked, _ time.Time) (err error) {
	c.limits, c.ignored, err = parseLimits(c.request.Resources)
	return err
}

func normal(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
