package main

import (
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// installApplets are what an init container needs to copy execd into another volume.
var installApplets = []string{"chmod", "cp", "mkdir", "sh", "sleep", "tail"}

// execdImage is the source of execd for every runtime: the daemon and its bootstrap are
// one static binary under four names, so the image holds its bytes once. Next to it is
// the writable folder with the links that lead into it, laid out as sandboxes see it.
func execdImage(s settings, userland busybox, execdPath string) (made, error) {
	shell, err := readStatic(userland.path, s.arch)
	if err != nil {
		return made{}, err
	}
	execd, err := readStatic(execdPath, s.arch)
	if err != nil {
		return made{}, err
	}
	digest := sha256Hex(execd)
	files := []node{
		file("execd", 0o755, execd),
		hardlink("bootstrap.sh", "execd"),
		dir("opt", 0o755),
		dir("opt/opensandbox", 0o755),
		hardlink("opt/opensandbox/execd", "execd"),
		hardlink("opt/opensandbox/bootstrap.sh", "execd"),
		dir("opt/opensandbox/run", 0o1777),
		symlink("opt/opensandbox/.env", "run/.env"),
		symlink("opt/opensandbox/merged-ca-certificates.pem", "run/merged-ca-certificates.pem"),
	}
	out, err := write(s, content{
		repository: execdRepository,
		layers: []part{
			{purpose: "static shell for init containers", nodes: append(userland.tree(shell, installApplets), dir("tmp", 0o1777))},
			{purpose: "execd and bootstrap", nodes: files},
		},
		config: v1.Config{
			Entrypoint: []string{"/execd"},
			Env:        []string{searchPath},
			Labels: map[string]string{
				labelExecdDigest: digest, labelBusyboxDigest: sha256Hex(shell),
				labelTitle: "OpenSandbox Edge execd", labelLicenses: "Apache-2.0 AND GPL-2.0-only",
			},
		},
	})
	if err != nil {
		return made{}, err
	}
	// For builds that pin the binary a server accepts.
	return out, os.WriteFile(filepath.Join(s.out, "execd.sha256"), lines(digest), 0o644)
}
