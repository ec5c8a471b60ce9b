// Command opensandbox-execd is the one binary that goes into every sandbox. What
// it is depends on how it is called:
//
//	execd [flags]                 the daemon
//	bootstrap.sh [entrypoint…]    the init: starts the daemon, then the entrypoint
//	execd bootstrap [entrypoint…] the same
//	execd version                 prints what was built
package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/execd/bootstrap"
	"github.com/opensandbox-edge/edge/internal/version"
)

func main() {
	// A log reader that went away must not end the sandbox: with a listener, writes
	// to a broken stdout fail instead. Children are not affected.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	os.Exit(run(os.Args))
}

func run(args []string) int {
	name, rest := filepath.Base(args[0]), args[1:]
	// First of all, and under every name: the shell that sourced the pre-script calls
	// back by the path we are installed at, which is the init's own.
	if len(rest) > 0 && rest[0] == bootstrap.AfterPreScript {
		return initialize(rest[1:], true)
	}
	if name == "bootstrap.sh" || name == "bootstrap" {
		return initialize(rest, false)
	}
	if len(rest) > 0 {
		switch rest[0] {
		case "bootstrap":
			return initialize(rest[1:], false)
		case "version":
			fmt.Println(build())
			return 0
		}
	}
	return serve(rest, os.Environ())
}

func initialize(entrypoint []string, sourced bool) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("component", "bootstrap")
	config := bootstrap.FromEnvironment(entrypoint, os.Environ(), log)
	config.Sourced = sourced
	return bootstrap.Run(config)
}

// build is one line: component, version, commit, Go version, platform.
func build() string {
	return fmt.Sprintf("opensandbox-execd %s commit %q %s %s/%s",
		version.Version, version.Revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
