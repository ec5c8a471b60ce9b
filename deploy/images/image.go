package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// made is a finished image.
type made struct {
	reference string // e.g. "opensandbox/execd:latest"
	id        string // the digest of its configuration: what an engine calls the image id
	path      string
	bytes     int64
}

// content is what differs between images.
type content struct {
	repository string
	layers     []part
	config     v1.Config
}

// part is one layer and what it is for.
type part struct {
	purpose string
	nodes   []node
}

// write assembles an image and writes its tar.
func write(s settings, c content) (made, error) {
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		Architecture: s.arch, OS: "linux", Created: v1.Time{Time: built}, Config: c.config,
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return made{}, err
	}
	for _, part := range c.layers {
		l, err := layer(part.nodes)
		if err != nil {
			return made{}, fmt.Errorf("packing %s: %w", part.purpose, err)
		}
		img, err = mutate.Append(img, mutate.Addendum{
			Layer: l, History: v1.History{Created: v1.Time{Time: built}, CreatedBy: "deploy/images", Comment: part.purpose},
		})
		if err != nil {
			return made{}, err
		}
	}

	tag, err := name.NewTag(c.repository + ":" + s.tag)
	if err != nil {
		return made{}, fmt.Errorf("tag %q: %w", s.tag, err)
	}
	out := made{reference: tag.String(), path: filepath.Join(s.out, filepath.Base(c.repository)+".tar")}
	id, err := img.ConfigName()
	if err != nil {
		return made{}, err
	}
	out.id = id.String()
	// Written beside and renamed: an interrupted build leaves no half tar that loads.
	partial := out.path + ".part"
	if err := tarball.WriteToFile(partial, tag, img); err != nil {
		return made{}, fmt.Errorf("writing %s: %w", out.path, err)
	}
	if err := os.Rename(partial, out.path); err != nil {
		return made{}, err
	}
	info, err := os.Stat(out.path)
	if err != nil {
		return made{}, err
	}
	out.bytes = info.Size()
	return out, nil
}

// searchPath is PATH in the images.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lines joins the lines of a small text file.
func lines(text ...string) []byte { return []byte(strings.Join(text, "\n") + "\n") }
