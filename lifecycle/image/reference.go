package image

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/distribution/reference"
)

// Reference is a parsed image reference. Its fields are safe to build paths from.
type Reference struct {
	// Name is the canonical short form with a tag or digest, e.g. "python:3.11", or the
	// full id of a local image, "sha256:" and 64 hex digits.
	Name string
	// Registry is the lower-case host that pulls go to, with its port; empty for a local image.
	Registry string
}

// Local reports an image that no registry can serve.
func (r Reference) Local() bool { return r.Registry == "" }

var idGrammar = regexp.MustCompile(`\Asha256:[0-9a-f]{64}\z`)

// MaxBytes is the longest reference: no real image comes near.
const MaxBytes = 1024

// Parse accepts what a registry can serve, or the full id of a local image. Its errors
// are fit for a client.
func Parse(text string) (Reference, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > MaxBytes {
		return Reference{}, fmt.Errorf("want 1 to %d characters", MaxBytes)
	}
	if idGrammar.MatchString(text) {
		return Reference{Name: text}, nil
	}
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return Reference{}, fmt.Errorf("not an image reference such as \"python:3.11\" or \"registry.example.com/team/app:1.0\": %w", err)
	}
	// A first element in upper case passes for a host here. Engines differ: older ones
	// refuse the name, and newer ones would connect to a host of that name.
	if host := reference.Domain(named); host != "localhost" && !strings.ContainsAny(host, ".:") {
		return Reference{}, errors.New("a repository name is written in lower case, and a registry host with a dot or a port")
	}
	if digested, ok := named.(reference.Digested); ok {
		// With a digest the tag says nothing, and old engines fail to find both.
		if named, err = reference.WithDigest(reference.TrimNamed(named), digested.Digest()); err != nil {
			return Reference{}, err
		}
	} else {
		named = reference.TagNameOnly(named)
	}
	return Reference{Name: reference.FamiliarString(named), Registry: strings.ToLower(reference.Domain(named))}, nil
}
