//go:build tools

// Package tools pins the linters' versions.
package tools

import (
	_ "honnef.co/go/tools/cmd/staticcheck"
	_ "gotest.tools/gotestsum"
	_ "mvdan.cc/gofumpt"
)
