package main

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// demoImage is a small machine to try the product with: a shell, the usual tools, and a
// web page with a WebSocket on port 8080.
func demoImage(s settings, userland busybox, webPath string) (made, error) {
	shell, err := readStatic(userland.path, s.arch)
	if err != nil {
		return made{}, err
	}
	web, err := readStatic(webPath, s.arch)
	if err != nil {
		return made{}, err
	}
	base := append(
		userland.tree(shell, userland.applets),
		dir("etc", 0o755),
		file("etc/passwd", 0o644, lines("root:x:0:0:root:/root:/bin/sh", "demo:x:1000:1000:demo:/home/demo:/bin/sh", "nobody:x:65534:65534:nobody:/:/bin/false")),
		file("etc/group", 0o644, lines("root:x:0:", "demo:x:1000:", "nogroup:x:65534:")),
		dir("home", 0o755),
		dir("root", 0o700),
		dir("tmp", 0o1777),
		dir("workspace", 0o1777),
	)
	home := dir("home/demo", 0o755)
	home.header.Uid, home.header.Gid = 1000, 1000
	return write(s, content{
		repository: demoRepository,
		layers: []part{
			{purpose: "static userland", nodes: append(base, home)},
			{purpose: "demo web page", nodes: []node{dir("usr", 0o755), dir("usr/bin", 0o755), file("usr/bin/demo-web", 0o755, web)}},
		},
		config: v1.Config{
			Cmd: []string{"/usr/bin/demo-web"}, Env: []string{searchPath, "HOME=/root"}, WorkingDir: "/workspace",
			ExposedPorts: map[string]struct{}{"8080/tcp": {}},
			Labels: map[string]string{
				labelBusyboxDigest: sha256Hex(shell),
				labelTitle:         "OpenSandbox Edge demo", labelLicenses: "Apache-2.0 AND GPL-2.0-only",
			},
		},
	})
}
