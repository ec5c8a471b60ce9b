package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// node is one entry of a layer, owned by root.
type node struct {
	header  tar.Header
	content []byte
}

func dir(name string, mode int64) node {
	return node{header: tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}}
}

func file(name string, mode int64, content []byte) node {
	return node{header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))}, content: content}
}

func symlink(name, target string) node {
	return node{header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}}
}

// hardlink is a second name of a file in the same layer.
func hardlink(name, target string) node {
	return node{header: tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o755}}
}

// layer packs nodes in one order with one time, so that its bytes depend on nothing else.
func layer(nodes []node) (v1.Layer, error) {
	nodes = slices.Clone(nodes)
	slices.SortStableFunc(nodes, func(a, b node) int {
		// A hard link's target must come before it.
		if isLink := cmp.Compare(linkRank(a), linkRank(b)); isLink != 0 {
			return isLink
		}
		return strings.Compare(a.header.Name, b.header.Name)
	})
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, n := range nodes {
		header := n.header
		header.ModTime, header.Format = built, tar.FormatPAX
		if err := w.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := w.Write(n.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	raw := out.Bytes()
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil })
}

func linkRank(n node) int {
	if n.header.Typeflag == tar.TypeLink {
		return 1
	}
	return 0
}

func sha256Hex(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
