package image

import (
	"errors"
	"slices"
	"strings"

	"github.com/opensandbox-edge/edge/lifecycle/reach"
)

// Policy says where images may come from. Its entries are "host", "host:port" or
// "*.domain", in any case. The zero value allows every registry but the ones that are
// never fit: a pull makes the engine connect to a host of the client's choice.
type Policy struct {
	Allowed []string // nil = all; empty = none
	Denied  []string // wins over Allowed
}

// The reasons of a refusal.
var (
	ErrForbidden  = errors.New("the registry is not allowed")
	ErrNotAllowed = errors.New("the registry is not among the allowed registries")
	ErrNoRegistry = errors.New("an image id names no registry, and this server restricts registries; use a name")
)

// Check returns one of the reasons, or nil.
func (p Policy) Check(r Reference) error {
	if r.Local() {
		if p.Allowed != nil || len(p.Denied) > 0 {
			return ErrNoRegistry // where it came from cannot be told
		}
		return nil
	}
	matches := func(pattern string) bool { return match(strings.ToLower(pattern), r.Registry) }
	switch {
	case !reach.Host(r.Registry), slices.ContainsFunc(p.Denied, matches):
		return ErrForbidden
	case p.Allowed != nil && !slices.ContainsFunc(p.Allowed, matches):
		return ErrNotAllowed
	}
	return nil
}

func match(pattern, registry string) bool {
	if suffix, wild := strings.CutPrefix(pattern, "*"); wild && strings.HasPrefix(suffix, ".") {
		return strings.HasSuffix(registry, suffix) && len(registry) > len(suffix)
	}
	return pattern == registry
}
