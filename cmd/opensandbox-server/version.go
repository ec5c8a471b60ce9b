package main

import (
	"fmt"
	"runtime"

	"github.com/caddyserver/caddy/v2"

	"github.com/opensandbox-edge/edge/internal/version"
)

func versionText() string {
	caddyVersion, _ := caddy.Version()
	return fmt.Sprintf("opensandbox-server %s (Caddy %s, %s, %s/%s)",
		version.Version, caddyVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
