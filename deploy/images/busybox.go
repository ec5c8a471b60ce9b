package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// busybox is the userland of the images.
type busybox struct {
	path    string
	applets []string // sorted
}

var appletGrammar = regexp.MustCompile(`^[a-z0-9\[_.-]+$`)

// readBusybox asks the binary for its applets.
func readBusybox(ctx context.Context, path string) (busybox, error) {
	out, err := exec.CommandContext(ctx, path, "--list").Output()
	if errors.Is(err, fs.ErrNotExist) {
		return busybox{}, fmt.Errorf("%s is missing; on Debian: apt-get install -y busybox-static", path)
	}
	if err != nil {
		return busybox{}, fmt.Errorf("asking %s for its applets: %w", path, err)
	}
	b := busybox{path: path}
	for _, name := range strings.Fields(string(out)) {
		if appletGrammar.MatchString(name) && name != "busybox" {
			b.applets = append(b.applets, name)
		}
	}
	slices.Sort(b.applets)
	b.applets = slices.Compact(b.applets)
	if !slices.Contains(b.applets, "sh") {
		return busybox{}, fmt.Errorf("%s has no shell", path)
	}
	return b, nil
}

// tree is /bin with the binary and a link per applet.
func (b busybox) tree(content []byte, applets []string) []node {
	nodes := []node{dir("bin", 0o755), file("bin/busybox", 0o755, content)}
	for _, name := range applets {
		nodes = append(nodes, symlink("bin/"+name, "busybox"))
	}
	return nodes
}
