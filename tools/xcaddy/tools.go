//go:build tools

// Package tools pins the xcaddy that builds bin/caddy; build.sh compiles it from here,
// because `go install …@version` needs a proxy that lists versions.
package tools

import _ "github.com/caddyserver/xcaddy/cmd/xcaddy"
